//go:build unix

package pglocal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// BinEnv names the environment variable that points at the folder of PostgreSQL's programs and wins over the search.
const BinEnv = "CALLSYNC_PG_BIN"

// MinVersion is the oldest major version of PostgreSQL that callsync runs on.
const MinVersion = 15

// ErrNotInstalled is wrapped by the error for a machine without PostgreSQL; its text holds the command that installs it.
var ErrNotInstalled = errors.New("PostgreSQL is not installed on this machine")

// install is one PostgreSQL found on the machine.
type install struct {
	bin   string
	major int
}

// find returns the newest PostgreSQL of the machine, or the one of version major where that is not zero.
func find(major int) (install, error) {
	var found []install
	for _, dir := range candidates() {
		if i, ok := inspect(dir); ok && !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	if dir := os.Getenv(BinEnv); dir != "" && len(found) == 0 {
		return install{}, fmt.Errorf("%s=%s has no working initdb and postgres", BinEnv, dir)
	}
	if len(found) == 0 {
		return install{}, fmt.Errorf("%w, or not where it is looked for (PATH, /usr/lib/postgresql, /usr/pgsql-*, Homebrew, Postgres.app). Install it:\n    %s\nor set %s to the folder that holds initdb and postgres, or DATABASE_URL to a server that runs",
			ErrNotInstalled, installCommand(), BinEnv)
	}
	slices.SortStableFunc(found, func(a, b install) int { return cmp.Compare(b.major, a.major) })
	if major != 0 {
		for _, i := range found {
			if i.major == major {
				return i, nil
			}
		}
		return install{}, fmt.Errorf("the data were made by PostgreSQL %d, and this machine has %d: install %[1]d, or delete the data folder to start afresh", major, found[0].major)
	}
	if found[0].major < MinVersion {
		return install{}, fmt.Errorf("PostgreSQL %d in %s is too old: %d or newer is needed. Install it:\n    %s", found[0].major, found[0].bin, MinVersion, installCommand())
	}
	return found[0], nil
}

// candidates lists the folders to look in, the most wanted first.
func candidates() []string {
	if dir := os.Getenv(BinEnv); dir != "" {
		return []string{dir}
	}
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		// Distributions put links into PATH; the programs find each other only beside the real ones.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	patterns := []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // packages of postgresql.org for Red Hat
		"/usr/libexec/postgresql*",          // Alpine
		"/usr/lib/postgresql*/bin",          // SUSE
		"/usr/local/pgsql/bin",              // built from source
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/opt/local/lib/postgresql*/bin",    // MacPorts
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
	// Homebrew elsewhere, as on Linux, says where in the environment of every shell it is set up in.
	if prefix := os.Getenv("HOMEBREW_PREFIX"); prefix != "" {
		patterns = append(patterns, filepath.Join(prefix, "opt/postgresql*/bin"))
	}
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern)
		dirs = append(dirs, matches...)
	}
	return dirs
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect asks the postgres in dir for its version.
func inspect(dir string) (install, bool) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return install{}, false
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return install{}, false
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return install{}, false
	}
	major, err := strconv.Atoi(string(m[1]))
	return install{bin: dir, major: major}, err == nil
}

// installCommand is what installs PostgreSQL on this system, with the contributed modules: Temporal needs btree_gin.
func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	release, _ := os.ReadFile("/etc/os-release")
	return linuxInstallCommand(string(release))
}

func linuxInstallCommand(release string) string {
	ids := map[string]bool{}
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			for _, id := range strings.Fields(strings.Trim(value, `"`)) {
				ids[id] = true
			}
		}
	}
	switch {
	case ids["alpine"]:
		return "apk add postgresql postgresql-contrib"
	case ids["arch"]:
		return "sudo pacman -S postgresql"
	case ids["fedora"], ids["rhel"], ids["centos"]:
		return "sudo dnf install postgresql-server postgresql-contrib"
	case ids["suse"], ids["opensuse"]:
		return "sudo zypper install postgresql-server postgresql-contrib"
	}
	return "sudo apt-get update && sudo apt-get install -y postgresql"
}
