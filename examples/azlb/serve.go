package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/azlb/azlb/examples/internal/signin"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

func (t *tool) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve --cloud-config azure.json",
		Short: "Run the Azure in memory as an ARM endpoint on this machine",
		Long: `Run the Azure in memory as an ARM endpoint on this machine, for tests of anything that talks to Azure Resource Manager. It begins with what
azure.json and the manifests name, or with the state of --load, and serves until it is interrupted.

--write-config writes a copy of azure.json that leads here, for azlb and others. Its credential is made up, whatever azure.json has. With --tls the endpoint is https with a certificate made
for the occasion, which --write-cert writes: azlb and other Go programs trust it with SSL_CERT_FILE.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.serve(cmd.Context()) },
	}
	t.fileFlag(c)
	t.cloudFlags(c)
	f := c.Flags()
	f.StringVar(&t.flags.listen, "listen", "127.0.0.1:0", "loopback `address` to listen on; port 0: any free one")
	f.StringVar(&t.flags.writeConfig, "write-config", "", "write a copy of azure.json that leads here to `file`")
	f.DurationVar(&t.flags.latency, "latency", 0, "how long every write takes")
	f.BoolVar(&t.flags.tls, "tls", false, "serve https")
	f.StringVar(&t.flags.writeCert, "write-cert", "", "with --tls: write the certificate to `file`")
	return c
}

// serve runs the endpoint until ctx ends.
func (t *tool) serve(ctx context.Context) error {
	t.flags.fake, t.flags.maxRemovals = true, -1
	if err := t.flags.check(); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(t.flags.listen)
	if err != nil || !signin.Loopback(host) {
		return fmt.Errorf("--listen %s: want an address of this machine only, such as 127.0.0.1:8443", t.flags.listen)
	}
	if t.flags.writeCert != "" && !t.flags.tls {
		return errors.New("--write-cert is for --tls only")
	}
	handler, finish, config, err := t.endpoint()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", t.flags.listen)
	if err != nil {
		return err
	}
	address, err := t.announce(listener, host, config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	if t.flags.tls {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{address.certificate}, MinVersion: tls.VersionTLS12}
	}
	fmt.Fprintf(t.stdout, "serving on %s\n", address.url)
	return errors.Join(serveUntil(ctx, server, listener, t.flags.tls), finish())
}

// endpoint returns what answers requests, what to do at the end, and azure.json.
func (t *tool) endpoint() (http.Handler, func() error, []byte, error) {
	in := lb.Objects{}
	if len(t.flags.files) > 0 {
		var err error
		if in, err = t.objects(); err != nil {
			return nil, nil, nil, err
		}
	}
	cluster, config, err := t.config()
	if err != nil {
		return nil, nil, nil, err
	}
	azure, err := t.openFake(cluster, in, t.realTime)
	if err != nil {
		return nil, nil, nil, err
	}
	return armHandler(azure), func() error { return t.dumpFake(azure) }, config, nil
}

// realTime makes operations take the time of --latency.
func (t *tool) realTime(o *fake.Options) {
	o.Clock = fake.WallClock{}
	o.Latency = map[string]time.Duration{}
	for _, typ := range []string{
		armid.LoadBalancers, armid.PublicIPAddresses, armid.NetworkSecurityGroups, armid.PrivateLinkServices, armid.VirtualNetworks,
		armid.NetworkInterfaces, armid.ScaleSets,
	} {
		o.Latency[typ] = t.flags.latency
	}
}

// serveUntil serves until ctx ends; requests in flight have a second then.
func serveUntil(ctx context.Context, server *http.Server, listener net.Listener, secure bool) error {
	ended := make(chan error, 1)
	go func() {
		if secure {
			ended <- server.ServeTLS(listener, "", "")
			return
		}
		ended <- server.Serve(listener)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		// Connections that clients opened in advance and never used are no reason to wait.
		err = server.Close()
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// endpointAddress is where the endpoint is, and with which certificate.
type endpointAddress struct {
	url         string
	certificate tls.Certificate
}

// announce writes the files that lead to the endpoint.
func (t *tool) announce(listener net.Listener, host string, config []byte) (endpointAddress, error) {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return endpointAddress{}, err
	}
	a := endpointAddress{url: "http://" + net.JoinHostPort(host, port)}
	if t.flags.tls {
		a.url = "https://" + net.JoinHostPort(host, port)
		var certificate []byte
		if a.certificate, certificate, err = selfSigned(host); err != nil {
			return a, err
		}
		if t.flags.writeCert != "" {
			if err := os.WriteFile(t.flags.writeCert, certificate, 0o644); err != nil {
				return a, fmt.Errorf("--write-cert: %w", err)
			}
		}
	}
	if t.flags.writeConfig == "" {
		return a, nil
	}
	text, err := configFor(config, a.url)
	if err == nil {
		err = writeWhole(t.flags.writeConfig, text, 0o600)
	}
	if err != nil {
		return a, fmt.Errorf("--write-config: %w", err)
	}
	return a, nil
}

// configFor returns azure.json with another Resource Manager, and with a made-up credential that the endpoint takes in the place of what
// signs in to Azure: the copy is for tests, and the endpoint may be without TLS.
func configFor(config []byte, url string) ([]byte, error) {
	text, err := utilyaml.ToJSON(config)
	if err != nil {
		return nil, fmt.Errorf("azure.json: %s", safetext.Reason(err, config, 1))
	}
	keys := map[string]any{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("azure.json: %s", safetext.Reason(err, text, 1))
	}
	tenant := any("00000000-0000-0000-0000-000000000000")
	maps.DeleteFunc(keys, func(key string, value any) bool {
		if strings.EqualFold(key, "tenantId") && value != nil && value != "" {
			tenant = value
		}
		return replaced(key)
	})
	keys["resourceManagerEndpoint"], keys["tenantId"] = url, tenant
	keys["aadClientId"], keys["aadClientSecret"] = "azlb", "not-a-secret"
	return json.MarshalIndent(keys, "", "  ")
}

// replaced reports whether a key of azure.json, whose case does not matter, is one that configFor sets, or may be part of a credential: ids,
// secrets, certificates and their passwords, identities and token files, also under names that nobody here has heard of.
func replaced(key string) bool {
	key = strings.ToLower(key)
	return key == "resourcemanagerendpoint" || key == "tenantid" ||
		slices.ContainsFunc([]string{"aad", "secret", "password", "cert", "identity", "token", "credential"}, func(part string) bool {
			return strings.Contains(key, part)
		})
}

// writeWhole writes a file whole or not at all, so that who waits for it to appear can read it.
func writeWhole(path string, data []byte, mode os.FileMode) error {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = part.Write(append(data, '\n'))
	err = errors.Join(err, part.Chmod(mode), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

// selfSigned makes a certificate for host that is good for a day, and its PEM form.
func selfSigned(host string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "azlb serve"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
