package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/internal/safetext"
)

// translateFlags are the flags of translate alone.
type translateFlags struct{ implementation, defaultScheme, class string }

func (t *tool) translateCommand() *cobra.Command {
	var flags translateFlags
	c := &cobra.Command{
		Use:   "translate -f FILE...",
		Short: "Translate Services that were written for AWS",
		Long: `Translate Services that were written for AWS. The manifests go to stdout, in their order, with everything else in them as it was; what
became of each annotation goes to stderr. Nothing is dropped without a word, and nobody reaches a translated Service who could not before.

Exit code 0: translated. 1: something needs a person, or the manifests cannot be read.`,
		RunE: func(_ *cobra.Command, args []string) error { return t.translate(flags, args) },
	}
	t.fileFlag(c)
	t.outputFlag(c, "text", "json")
	f := c.Flags()
	f.StringVar(&flags.implementation, "implementation", "detect",
		"who made the load balancers: `NAME` is classic (the cloud provider), controller (AWS Load Balancer Controller), detect")
	f.StringVar(&flags.defaultScheme, "default-scheme", "",
		"`scheme` of Services that name none: internal, internet-facing (default: that of the implementation)")
	f.StringVar(&flags.class, "class", "", "`class` that Azure's provider serves, in place of one of AWS (default: none)")
	return c
}

// options reads the flags.
func (f translateFlags) options() (*annotations.AWSOptions, error) {
	opts := &annotations.AWSOptions{Class: f.class}
	var errs []error
	known := []annotations.AWSImplementation{annotations.AWSDetect, annotations.AWSClassic, annotations.AWSController}
	if i := slices.IndexFunc(known, func(k annotations.AWSImplementation) bool { return k.String() == f.implementation }); i >= 0 {
		opts.Implementation = known[i]
	} else {
		errs = append(errs, fmt.Errorf("--implementation %s: want classic, controller or detect", f.implementation))
	}
	switch s := annotations.AWSScheme(f.defaultScheme); s {
	case "", annotations.AWSInternal, annotations.AWSInternetFacing:
		opts.DefaultScheme = s
	default:
		errs = append(errs, fmt.Errorf("--default-scheme %s: want internal or internet-facing", f.defaultScheme))
	}
	return opts, errors.Join(errs...)
}

// translation is what translate prints with -o json.
type translation struct {
	Manifests string              `json:"manifests"`
	Services  []translatedService `json:"services"`
	Errors    int                 `json:"errors"`
	Warnings  int                 `json:"warnings"`
	// NeedPerson is the number of findings that somebody has to do something about.
	NeedPerson int `json:"needPerson"`
}

type translatedService struct {
	Service  string              `json:"service"`
	Findings []translatedSetting `json:"findings"`
}

type translatedSetting struct {
	Severity    string          `json:"severity"`
	Field       string          `json:"field"`
	Attribute   string          `json:"attribute,omitempty"`
	Value       string          `json:"value"`
	Verdict     string          `json:"verdict"`
	Becomes     []translatedKey `json:"becomes"`
	Effect      string          `json:"effect"`
	Error       string          `json:"error"`
	Shadowed    bool            `json:"shadowed,omitempty"`
	NeedsPerson bool            `json:"needsPerson"`

	setting, becomes string
}

type translatedKey struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

func (t *tool) translate(flags translateFlags, args []string) error {
	if err := t.moreFiles(args); err != nil {
		return err
	}
	opts, err := flags.options()
	if err != nil {
		return err
	}
	texts, err := t.texts()
	if err != nil {
		return err
	}
	r := translation{Services: []translatedService{}}
	var parts []string
	for _, text := range texts {
		out, err := translateText(text.data, opts, r.add)
		if err != nil {
			return fmt.Errorf("%s: %w", safetext.Quote(text.name), err)
		}
		parts = append(parts, out)
	}
	r.Manifests = joined(parts)
	if r.NeedPerson > 0 {
		t.code = exitError
	}
	if t.flags.output == "json" {
		return t.printJSON(r)
	}
	if _, err := io.WriteString(t.stdout, r.Manifests); err != nil {
		return err
	}
	return r.print(t.stderr)
}

// text is one file of manifests.
type text struct {
	name string
	data []byte
}

// texts reads the files, and checks them as strictly as the other commands do.
func (t *tool) texts() ([]text, error) {
	var list []text
	set := &manifest.Set{}
	var errs []error
	for _, path := range t.flags.files {
		files := []string{path}
		if path != "-" {
			var err error
			files, err = t.manifests().Files(path)
			errs = append(errs, err)
		}
		for _, file := range files {
			name, data, err := t.read(file)
			if errs = append(errs, err); err != nil {
				continue
			}
			errs = append(errs, set.Add(name, data))
			list = append(list, text{name, data})
		}
	}
	return list, advise(errors.Join(errs...))
}

func (t *tool) read(file string) (string, []byte, error) {
	if file == "-" {
		data, err := io.ReadAll(t.stdin)
		return "stdin", data, err
	}
	data, err := os.ReadFile(file)
	return file, data, err
}

// joined puts the texts of several files together, as documents of one.
func joined(parts []string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			if !strings.HasSuffix(b.String(), "\n") {
				b.WriteString("\n")
			}
			if !strings.HasPrefix(part, "---") {
				b.WriteString("---\n")
			}
		}
		b.WriteString(part)
	}
	return b.String()
}

// add takes over what was found about one Service.
func (r *translation) add(name string, list []annotations.AWSFinding) {
	s := translatedService{Service: name, Findings: []translatedSetting{}}
	for _, f := range list {
		at := translatedSetting{
			Severity: f.Severity.String(), Field: f.Field, Attribute: f.Attribute, Value: f.Value, Verdict: f.Verdict.String(), Becomes: []translatedKey{},
			Effect: f.Effect.String(), Error: f.Err.Error(), Shadowed: f.Shadowed, NeedsPerson: f.NeedsPerson(), setting: f.Setting(),
		}
		var names []string
		for _, b := range f.Becomes {
			at.Becomes = append(at.Becomes, translatedKey{b.Field, b.Value})
			names = append(names, b.String())
		}
		at.becomes = strings.Join(names, ", ")
		s.Findings = append(s.Findings, at)
		switch f.Severity {
		case annotations.SeverityError:
			r.Errors++
		case annotations.SeverityWarning:
			r.Warnings++
		}
		if at.NeedsPerson {
			r.NeedPerson++
		}
	}
	r.Services = append(r.Services, s)
}

// print writes the findings as a table for each Service.
func (r *translation) print(out io.Writer) error {
	var b bytes.Buffer
	for _, s := range r.Services {
		if len(s.Findings) == 0 {
			continue
		}
		safetext.Fprintf(&b, "%s\n", s.Service)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  SEVERITY\tSETTING\tBECOMES\tNOTE")
		for _, f := range s.Findings {
			becomes := f.becomes
			if becomes == "" {
				becomes = "–"
			}
			safetext.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Severity, f.setting, becomes, f.Error)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		b.WriteString("\n")
	}
	safetext.Fprintf(&b, "%s: %s, %s", plural(len(r.Services), "Service"), plural(r.Errors, "error"), plural(r.Warnings, "warning"))
	if r.NeedPerson > 0 {
		safetext.Fprintf(&b, "; %s for a person to look at", plural(r.NeedPerson, "finding"))
	}
	b.WriteString("\n")
	_, err := out.Write(b.Bytes())
	return err
}
