package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/callsync/callsync/internal/secretbox"
	"github.com/callsync/callsync/records"
)

// browserCookie names a browser in which somebody has signed in, also after they have signed out. It opens nothing: their
// tries to sign in are counted apart from those of strangers.
const browserCookie = "callsync_browser"

// browserLife is how long a browser stays known that nobody signs in with.
const browserLife = 180 * 24 * time.Hour

// tooMany is what a person is told who must wait.
func tooMany(wait time.Duration) string {
	return "Too many attempts. Please try again in " + strconv.Itoa(int(wait.Minutes())+1) + " minutes."
}

// signInTry is somebody who says in r to be whoever has email.
func (h *Handler) signInTry(r *http.Request, email string) records.SignInTry {
	t := records.SignInTry{Address: h.clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For")), Email: email}
	if cookie, err := r.Cookie(h.hostCookie(browserCookie)); err == nil && cookie.Value != "" {
		t.Browser = secretbox.HashToken(cookie.Value)
	}
	return t
}

// refusedSignIn has a password noted that was not right, and that the next one is not looked at. That it could not be noted is no
// reason to answer anything else.
func (h *Handler) refusedSignIn(r *http.Request, email string, last bool) {
	err := h.Store.NoteRefusedSignIn(r.Context(), email, records.SessionRefused)
	if err == nil && last {
		err = h.Store.NoteRefusedSignIn(r.Context(), email, records.SessionBlocked)
	}
	if err != nil {
		h.Log.ErrorContext(r.Context(), "a refused sign-in could not be noted", "err", err)
	}
}

// knowBrowser remembers the browser of somebody who has just signed in. One that is known as another's, or that nobody knows,
// gets a cookie of its own: it may have been planted.
func (h *Handler) knowBrowser(w http.ResponseWriter, r *http.Request, userID string) error {
	token := ""
	if cookie, err := r.Cookie(h.hostCookie(browserCookie)); err == nil {
		known, err := h.Store.KnowsBrowser(r.Context(), userID, secretbox.HashToken(cookie.Value))
		if err != nil {
			return err
		}
		if known {
			token = cookie.Value
		}
	}
	if token == "" {
		token = secretbox.NewToken()
	}
	if err := h.Store.KnowBrowser(r.Context(), userID, secretbox.HashToken(token)); err != nil {
		return err
	}
	h.setCookie(w, browserCookie, token, h.Now().UTC().Add(browserLife))
	return nil
}
