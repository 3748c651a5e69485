package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
)

// ErrFolders says that a directory has manifests in folders below it, which nobody asked to read.
var ErrFolders = errors.New("manifests in folders below it would not be read")

// Files returns the manifests that a path stands for: the file itself, or the YAML and JSON files of a directory by name, with those of the
// folders below it if r is recursive. Folders whose name begins with a dot are nobody's manifests and left out. If r is not recursive and there
// are manifests below, the error wraps [ErrFolders] and names the folders.
func (r Reader) Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	w := walk{top: path}
	if err := w.folder(path); err != nil {
		return nil, err
	}
	switch {
	case r.Recursive:
		w.files = slices.Concat(w.files, w.below)
	case len(w.folders) > 0:
		return nil, fmt.Errorf("%s: %w: %s", safetext.Quote(path), ErrFolders, safetext.Quote(strings.Join(w.folders, ", ")))
	}
	if len(w.files) == 0 {
		return nil, fmt.Errorf("%s: no file ends in .yaml, .yml or .json", safetext.Quote(path))
	}
	return w.files, nil
}

// walk goes through a directory.
type walk struct {
	top     string
	seen    []string // folders by what they really are, since links may lead in circles
	files   []string // manifests of top
	below   []string // manifests below
	folders []string // with manifests, below top, as seen from there
}

func (w *walk) folder(dir string) error {
	target, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if slices.Contains(w.seen, target) {
		return nil
	}
	w.seen = append(w.seen, target)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var folders []string
	found := false
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // where a link leads to
		if err != nil {
			if isManifest(path) {
				return err
			}
			continue // a link to nowhere, or a file that somebody just removed, is no manifest
		}
		switch {
		case info.IsDir() && !strings.HasPrefix(e.Name(), "."):
			folders = append(folders, path)
		case info.IsDir() || !isManifest(path):
		case dir == w.top:
			w.files = append(w.files, path)
		default:
			w.below, found = append(w.below, path), true
		}
	}
	if found {
		name, err := filepath.Rel(w.top, dir)
		if err != nil {
			name = dir
		}
		w.folders = append(w.folders, name)
	}
	for _, path := range folders {
		if err := w.folder(path); err != nil {
			return err
		}
	}
	return nil
}

// isManifest reports whether a file is one by its name.
func isManifest(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path)))
}
