package lb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-lb/sluice/lb/config"
)

// readFiles reads the configuration files in their order. A directory stands for the files in it whose names end in
// ".cfg" and do not start with a dot, in the order of their bytes. All files that cannot be read are complained about.
func readFiles(paths []string) ([]config.File, []error) {
	var files []config.File
	var problems []error
	for _, path := range paths {
		names, err := expand(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot open configuration file/directory %s : %w", path, cause(err)))
			continue
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				problems = append(problems, fmt.Errorf("cannot read configuration file %s : %w", name, cause(err)))
				continue
			}
			files = append(files, config.File{Name: name, Data: data})
		}
	}
	return files, problems
}

// expand gives the files that a path of the command line stands for.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := filepath.Join(path, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || !strings.HasSuffix(entry.Name(), ".cfg") {
			continue
		}
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// rereadable tells whether all configuration files can be read a second time, which a pipe cannot. It gives the first that
// cannot.
func rereadable(paths []string) (string, bool) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() && info.Mode()&os.ModeCharDevice == 0 {
			return path, false
		}
	}
	return "", true
}

// cause is the kernel's part of an error about a file whose path the caller names anyway.
func cause(err error) error {
	if pathError, found := err.(*os.PathError); found {
		return pathError.Err
	}
	return err
}
