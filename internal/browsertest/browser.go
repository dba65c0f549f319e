// Package browsertest starts a real Chromium for tests of pages.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// life is the longest that a test may use its browser: a multiple of what the slowest takes on a busy machine.
const life = 5 * time.Minute

// Tab is one tab of the browser that the tests of a package share, with a clean profile of its own.
type Tab struct {
	// Ctx carries chromedp's actions. It ends with the test.
	Ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// shared is the one browser of a test binary: to start one takes seconds.
var shared struct {
	sync.Mutex
	ctx  context.Context
	err  error
	stop func()
}

// Main runs the tests of a package, ends their browser, and returns the code to exit with; for a TestMain.
func Main(run func() int) int {
	code := run()
	shared.Lock()
	defer shared.Unlock()
	if shared.stop != nil {
		shared.stop()
	}
	return code
}

// browser starts the shared browser at path when it is first asked for.
func browser(path string) (context.Context, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.stop != nil {
		return shared.ctx, shared.err
	}
	dir, err := os.MkdirTemp("", "callsync-browser-")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(dir), chromedp.Env("LANG=en_GB.UTF-8"),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1280, 900))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	var cancel context.CancelFunc
	shared.ctx, cancel = chromedp.NewContext(alloc)
	shared.err = chromedp.Do(shared.ctx)
	shared.stop = func() {
		cancel()
		stop()
		os.RemoveAll(dir)
	}
	return shared.ctx, shared.err
}

// Start opens a tab of the package's browser in a time zone. The package's TestMain must call Main. The test fails at its end
// if a page complained of anything: an error in a script, or something that the page's policy forbids. Where there is no
// Chromium the test is skipped, but not in CI.
func Start(t *testing.T, zone string) *Tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CI needs Chromium for the pages' tests: apt-get install -y chromium")
		}
		t.Skip("no Chromium found: the pages were not looked at (apt-get install -y chromium)")
	}
	all, err := browser(path)
	require.NoError(t, err)
	ctx, cancel := chromedp.NewContext(all, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	tab := &Tab{}
	require.NoError(t, chromedp.Listen(ctx, tab.listen))
	// The first call's context is the tab's life; what follows is bounded.
	require.NoError(t, chromedp.Do(ctx, Command(log.Enable, cdp.Empty{}),
		Command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}),
		// Each tab believes that it is the one in front.
		Command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})))
	var timeout context.CancelFunc
	tab.Ctx, timeout = context.WithTimeout(ctx, life)
	t.Cleanup(timeout)
	t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		require.Empty(t, tab.complaints, "what the pages complained of")
	})
	return tab
}

func (tab *Tab) listen(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tab.complaints = append(tab.complaints, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// The browser logs answers that tests ask for: a wrong password, a wrong setting, a page that is not there.
		asked := slices.ContainsFunc([]string{"401", "404", "422"}, func(status string) bool { return strings.Contains(e.Entry.Text, status) })
		if e.Entry.Level == "error" && !asked {
			tab.complaints = append(tab.complaints, e.Entry.Text)
		}
	}
}

// Forget passes over complaints that hold about, because the test has caused them.
func (tab *Tab) Forget(about string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = slices.DeleteFunc(tab.complaints, func(s string) bool { return strings.Contains(s, about) })
}

// Command is one of the browser's own.
func Command[P any](c cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}
