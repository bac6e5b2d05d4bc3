package lb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// stateSaver writes "server-state-file" by itself: "server-state-save", an extension. HAProxy leaves that to whoever asks it
// for "show servers state" before it is stopped.
//
// The file is written when the process starts, so that what keeps it from being written is known while somebody looks; every
// so often, if asked; and once when the process is told to stop: not at the end of a soft stop, since by then another process
// has begun to write its own states.
//
// The directory is opened before chroot and stays open; files are reached through it alone (os.Root), with the rights of
// "user". A new file is written beside the old one and synchronised before it takes its name: a full disk, or the end of
// the process at any moment, leaves the old one as it was. Only the saver's goroutine touches the disk, which may hang.
type stateSaver struct {
	path  string
	name  string // in dir
	dir   *os.Root
	every time.Duration
	state func() ([]byte, error)
	say   func(config.Severity, string)

	patience time.Duration // at the end
	wanted   chan []byte   // one element: the latest state that is to be written
	ended    chan struct{}
	quit     chan struct{}
	started  bool // before anything else runs
	final    sync.Once
	failing  bool // the last attempt failed; of the goroutine
}

// openStateSaver opens the directory of the state file; nil: nothing is to be saved.
func (b *Balancer) openStateSaver() error {
	g := &b.config.Global
	if !g.StateSave || g.StateFile == "" {
		return nil
	}
	path := statePath(g, g.StateFile)
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("server-state-save: cannot open directory '%s': %w", filepath.Dir(path), cause(err))
	}
	b.saver = &stateSaver{
		path: path, name: filepath.Base(path), dir: dir, every: g.StateSaveEvery, say: b.say,
		state: func() ([]byte, error) {
			var text bytes.Buffer
			err := b.WriteServerState(&text, "")
			return text.Bytes(), err
		},
		patience: saveTime, wanted: make(chan []byte, 1), ended: make(chan struct{}), quit: make(chan struct{}),
	}
	return nil
}

// start begins to save.
func (s *stateSaver) start() {
	if s == nil {
		return
	}
	s.started = true
	s.save()
	go s.run()
}

func (s *stateSaver) run() {
	defer close(s.ended)
	var tick <-chan time.Time
	if s.every > 0 {
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case text := <-s.wanted:
			s.write(text)
		case <-tick:
			s.save()
		case <-s.quit:
			select {
			case text := <-s.wanted:
				s.write(text)
			default:
			}
			return
		}
	}
}

// save has the state of this moment written, later.
func (s *stateSaver) save() {
	text, err := s.state()
	if err != nil {
		return // a buffer's error: there is none
	}
	select {
	case <-s.wanted: // is older
	default:
	}
	select {
	case s.wanted <- text:
	default: // somebody else has just been here
	}
}

// last saves for the last time. Further calls do nothing.
func (s *stateSaver) last() {
	if s != nil {
		s.final.Do(func() {
			s.save()
			close(s.quit)
		})
	}
}

// saveTime bounds how long the end of the process waits for the disk.
const saveTime = 2 * time.Second

// close waits for the last write. A disk that hangs is left alone.
func (s *stateSaver) close() {
	if s == nil {
		return
	}
	if !s.started {
		s.dir.Close()
		return
	}
	select {
	case <-s.ended:
		s.dir.Close()
	case <-time.After(s.patience):
		s.say(config.Warning, fmt.Sprintf("server state file '%s': writing takes too long, and is given up", s.path))
	}
}

// write replaces the file. That it fails is said once, until it succeeds again.
func (s *stateSaver) write(text []byte) {
	switch err := s.replace(text); {
	case err != nil && !s.failing:
		s.failing = true
		s.say(config.Warning, fmt.Sprintf("cannot write server state file '%s', which stays as it was: %v", s.path, err))
	case err == nil && s.failing:
		s.failing = false
		s.say(config.Notice, fmt.Sprintf("server state file '%s' is written again", s.path))
	}
}

func (s *stateSaver) replace(text []byte) (err error) {
	name := "." + s.name + "." + pid()
	s.dir.Remove(name) // of a process that had this number and was killed
	file, err := s.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.dir.Remove(name)
		}
	}()
	if err = s.fill(file, text); err != nil {
		return err
	}
	return s.dir.Rename(name, s.name)
}

// fill writes a file and closes it once the disk has it.
func (s *stateSaver) fill(file *os.File, text []byte) error {
	_, err := file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func pid() string { return strconv.Itoa(os.Getpid()) }
