package conformance

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// scenario is one folder of scenarios.
type scenario struct {
	name        string
	clusterName string
	config      []byte // azure.json
	seed        []byte
	addresses   map[lb.ID]netip.Addr // public addresses that ARM gave, by resource
	configError string               // why upstream refuses the configuration; such a scenario has no steps
	steps       []step
}

// step is one state of the cluster with what upstream made of it.
type step struct {
	number  string // NN
	objects lb.Objects
	side    side   // what happens in ARM before
	state   []byte // recorded state.json
	status  map[types.NamespacedName]recordedStatus
	calls   []recordedCall
}

// recordedStatus is a Service's entry in status.json.
type recordedStatus struct {
	LoadBalancer corev1.LoadBalancerStatus `json:"loadBalancer"`
	Error        string                    `json:"error"`
}

// recordedCall is a call that the service controller made of upstream, in the order of calls.
type recordedCall struct {
	Op      string `json:"op"`
	Service string `json:"service"` // namespace/name
}

// side is an NN-name.arm.json.
type side struct {
	Resources []json.RawMessage `json:"resources"`
	Delete    []lb.ID           `json:"delete"`
	Faults    []sideFault       `json:"faults"`
}

// sideFault is a call that fails during the step.
type sideFault struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Count  int    `json:"count"`
	Action struct {
		Type    string `json:"type"`
		Status  int    `json:"status"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"action"`
}

// failed reports whether a Service had an error in the step, one that is gone included.
func (s step) failed() bool {
	for _, status := range s.status {
		if status.Error != "" {
			return true
		}
	}
	return false
}

var stepFile = regexp.MustCompile(`^(\d\d)-.*\.yaml$`)

// loadScenario reads one folder of scenarios.
func loadScenario(dir string) (scenario, error) {
	s := scenario{name: filepath.Base(dir)}
	var about struct {
		ClusterName string `json:"clusterName"`
	}
	var refused struct {
		ConfigError string `json:"configError"`
	}
	err := firstError(
		readJSON(filepath.Join(dir, "scenario.json"), &about),
		readJSON(filepath.Join(dir, "addresses.json"), &s.addresses),
		readFile(filepath.Join(dir, "azure.json"), &s.config),
		readFile(filepath.Join(dir, "seed.json"), &s.seed),
		optional(readJSON(filepath.Join(dir, "expected", "00", "status.json"), &refused)),
	)
	s.clusterName, s.configError = about.ClusterName, refused.ConfigError
	if err != nil || s.configError != "" {
		return s, err
	}
	files, err := os.ReadDir(filepath.Join(dir, "steps"))
	if err != nil {
		return s, err
	}
	for _, f := range files {
		match := stepFile.FindStringSubmatch(f.Name())
		if match == nil {
			continue
		}
		st, err := loadStep(dir, match[1], strings.TrimSuffix(f.Name(), ".yaml"))
		if err != nil {
			return s, err
		}
		s.steps = append(s.steps, st)
	}
	return s, nil
}

func loadStep(dir, number, name string) (step, error) {
	st := step{number: number, status: map[types.NamespacedName]recordedStatus{}}
	var manifest []byte
	var recorded struct {
		Services map[string]recordedStatus `json:"services"`
		Calls    []recordedCall            `json:"calls"`
	}
	expected := filepath.Join(dir, "expected", number)
	err := firstError(
		readFile(filepath.Join(dir, "steps", name+".yaml"), &manifest),
		optional(readJSON(filepath.Join(dir, "steps", name+".arm.json"), &st.side)),
		readFile(filepath.Join(expected, "state.json"), &st.state),
		readJSON(filepath.Join(expected, "status.json"), &recorded),
	)
	if err != nil {
		return st, err
	}
	for key, status := range recorded.Services {
		st.status[nameFrom(key)] = status
	}
	st.calls = recorded.Calls
	st.objects, err = decodeObjects(manifest)
	return st, err
}

// nameFrom reads namespace/name.
func nameFrom(key string) types.NamespacedName {
	namespace, name, _ := strings.Cut(key, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func readFile(path string, to *[]byte) (err error) {
	*to, err = os.ReadFile(path)
	return err
}

func readJSON(path string, to any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// optional drops the error of a file that is not there.
func optional(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
