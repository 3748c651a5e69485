package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// built is where the binary of the tool is, built once per run of the tests; TestMain removes it.
var built = struct {
	sync.Once
	dir, binary string
	err         error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // the test is over either way
	}
	os.Exit(code)
}

// binary builds the tool as a user does, and returns where it is.
func binary(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there as it is here")
	}
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "azlb-test-"); built.err != nil {
			return
		}
		built.binary = filepath.Join(built.dir, "azlb")
		out, err := exec.Command("go", "build", "-o", built.binary, ".").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.binary
}

// endpoint is azlb serve in a process.
type endpoint struct {
	t            *testing.T
	binary, url  string
	config, cert string
	process      *exec.Cmd
}

// startEndpoint serves the shop's configuration until the test ends.
func startEndpoint(t *testing.T, more ...string) *endpoint {
	t.Helper()
	dir := t.TempDir()
	e := &endpoint{t: t, binary: binary(t), config: filepath.Join(dir, "azure.json"), cert: filepath.Join(dir, "cert.pem")}
	e.process = exec.Command(e.binary, append([]string{
		"serve", "--cloud-config", "testdata/shop/azure.json", "--write-config", e.config, "-f", "testdata/shop/services.yaml",
	}, more...)...)
	out, err := e.process.StdoutPipe()
	if err == nil {
		err = e.process.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	e.url = strings.TrimSpace(strings.TrimPrefix(line, "serving on "))
	if err != nil || !strings.HasPrefix(e.url, "http") {
		t.Fatalf("%q, %v", line, err)
	}
	return e
}

// stop interrupts the endpoint, which is its orderly end, unless it was killed.
func (e *endpoint) stop() {
	if e.process.ProcessState != nil {
		return
	}
	if err := e.process.Process.Signal(os.Interrupt); err != nil {
		e.t.Error(err)
	}
	if err := e.process.Wait(); err != nil {
		e.t.Errorf("serve: %v", err)
	}
}

// kill ends the endpoint at once, for tests that need many of them.
func (e *endpoint) kill() {
	_ = e.process.Process.Kill() // it runs, or stop will say
	_ = e.process.Wait()         // says that it was killed
}

// command is a command of the tool against the endpoint, or against what config leads to.
func (e *endpoint) command(name, config string, more ...string) *exec.Cmd {
	c := exec.Command(e.binary, append(append([]string{name, "--cloud-config", config}, manifests...), more...)...)
	c.Env = append(os.Environ(), "SSL_CERT_FILE="+e.cert)
	return c
}

// converges applies until the end and checks that planning finds nothing to do then.
func (e *endpoint) converges(when string) {
	e.t.Helper()
	if out, err := e.command("apply", e.config).CombinedOutput(); err != nil {
		e.t.Fatalf("%s: apply: %v\n%s", when, err, out)
	}
	if out, err := e.command("plan", e.config).CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing to do") {
		e.t.Errorf("%s: plan: %v\n%s", when, err, out)
	}
}

// TestProcess takes the built tool through HTTP and HTTPS, sign-in included: plan, apply, plan, and what is there afterwards.
func TestProcess(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			var e *endpoint
			if secure {
				cert := filepath.Join(t.TempDir(), "cert.pem")
				e = startEndpoint(t, "--tls", "--write-cert", cert)
				e.cert = cert
			} else {
				e = startEndpoint(t)
			}
			if scheme, _, _ := strings.Cut(e.url, ":"); (scheme == "https") != secure {
				t.Errorf("serving on %s", e.url)
			}
			out, err := e.command("plan", e.config).Output()
			if code := exitCode(err); code != exitChanges || !strings.Contains(string(out), "4 steps") {
				t.Errorf("plan: exit code %d\n%s", code, out)
			}
			e.converges("from nothing")
			out, err = e.command("apply", e.config, "-o", "json").Output()
			var r result
			if err != nil || json.Unmarshal(out, &r) != nil || r.Requests.Writes != 0 || addresses(r.Services["shop/web"].Status) == "<none>" {
				t.Errorf("applying again: %v\n%s", err, out)
			}
			if secure {
				stranger := e.command("plan", e.config)
				stranger.Env = append(os.Environ(), "SSL_CERT_FILE=/dev/null")
				if out, err := stranger.CombinedOutput(); exitCode(err) != exitError || !strings.Contains(string(out), "certificate") {
					t.Errorf("without the certificate: %v\n%s", err, out)
				}
			}
		})
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of a process that was run here
		return e.ExitCode()
	}
	return -1
}

// TestKilledAtAnyTime kills apply at random moments of its life, over HTTPS. Applying again always ends with nothing to do.
func TestKilledAtAnyTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	times := 25
	if testing.Short() {
		times = 3
	}
	cert := filepath.Join(t.TempDir(), "cert.pem")
	open := func() *endpoint {
		e := startEndpoint(t, "--tls", "--write-cert", cert)
		e.cert = cert
		return e
	}
	e := open()
	start := time.Now()
	if out, err := e.command("apply", e.config).CombinedOutput(); err != nil {
		t.Fatalf("undisturbed: %v\n%s", err, out)
	}
	whole, killed := time.Since(start), 0
	for range times {
		e := open()
		after := time.Duration(rng.Float64() * float64(whole))
		c := e.command("apply", e.config)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // it may be over by then
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
		e.converges(fmt.Sprintf("killed after %v of %v", after, whole))
		e.kill()
	}
	if killed == 0 {
		t.Error("nothing was killed: apply is faster than the test")
	}
}

// executioner is a proxy in front of the endpoint that kills a process at one request, before or after the endpoint has answered it.
type executioner struct {
	proxy http.Handler

	mu     sync.Mutex
	at     int
	late   bool
	victim *exec.Cmd
	writes int // seen before the end
	done   bool
}

func (x *executioner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.at--
	mine, late := x.at == 0, x.late
	if !x.done && (r.Method == http.MethodPut || r.Method == http.MethodDelete) {
		x.writes++
	}
	x.mu.Unlock()
	if !mine {
		x.proxy.ServeHTTP(w, r)
		return
	}
	if late {
		x.proxy.ServeHTTP(httptest.NewRecorder(), r) // it took effect, and nobody hears of it
	}
	x.mu.Lock()
	x.done = true
	_ = x.victim.Process.Kill() // it waits for this answer, so it is there
	x.mu.Unlock()
}

// TestKilledAtEveryRequest kills apply at each of its requests, just before it arrives and just after it took effect.
func TestKilledAtEveryRequest(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	writes := map[int]bool{}
	for at := 1; ; at += step {
		ended := false
		for _, late := range []bool{false, true} {
			e := startEndpoint(t)
			target, err := url.Parse(e.url)
			if err != nil {
				t.Fatal(err)
			}
			x := &executioner{at: at, late: late, proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Host = r.In.Host // the endpoint leads its clients back to where they came from
			}, ErrorLog: log.New(io.Discard, "", 0)}}
			server := httptest.NewServer(x)
			x.victim = e.command("apply", divert(t, e.config, server.URL))
			x.mu.Lock()
			if err := x.victim.Start(); err != nil {
				t.Fatal(err)
			}
			x.mu.Unlock()
			err = x.victim.Wait()
			server.CloseClientConnections()
			server.Close()
			if ended = !x.done; ended && err != nil {
				t.Fatalf("%d requests: %v", at, err)
			}
			writes[x.writes] = true
			e.converges(fmt.Sprintf("killed at request %d, late %v", at, late))
			e.kill()
			if ended {
				break
			}
		}
		if ended {
			break
		}
	}
	if !testing.Short() && len(writes) < 5 {
		t.Errorf("numbers of writes at the end: %v, want 0 to 4", writes)
	}
}

// divert copies an azure.json and leads it to another Resource Manager.
func divert(t *testing.T, config, to string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "azure.json")
	text, err := configFor([]byte(readFile(t, config)), to)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}
