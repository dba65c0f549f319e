package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/callsync/callsync/records"
)

// pageFunc answers one page for somebody who may see it.
type pageFunc func(w http.ResponseWriter, r *http.Request, p principal) error

func (h *Handler) registerPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /static/{build}/{file...}", h.serveStatic)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/static/"+h.pages.build+"/icon.svg", http.StatusFound)
	})
	mux.HandleFunc("GET /login", h.loginPage)
	mux.HandleFunc("POST /login", h.login)
	mux.HandleFunc("POST /logout", h.logout)
	page := func(pattern, role string, f pageFunc) {
		h.patterns = append(h.patterns, pattern)
		mux.Handle(pattern, h.page(role, f))
	}
	page("GET /{$}", viewer, h.homePage)
	page("GET /help", viewer, h.helpIndexPage)
	page("GET /help/{page...}", viewer, h.helpDocPage)
	page("GET /steps", viewer, h.stepRows)
	page("POST /steps/hide", admin, h.stepsHideForm)
	page("POST /demo", admin, h.demoAddForm)
	page("GET /demo/remove", admin, h.demoRemovePage)
	page("POST /demo/remove", admin, h.demoRemoveForm)
	page("GET /calls", viewer, h.callsPage)
	page("GET /calls/{id}", viewer, h.callPage)
	page("POST /calls/columns", viewer, h.callColumnsForm)
	page("GET /calls/retry", operator, h.callsRetryPage)
	page("POST /calls/retry", operator, h.callsRetryForm)
	page("POST /calls/{id}/sync", operator, h.callSyncForm)
	page("POST /calls/{id}/recordings/{recording}/{action}", operator, h.recordingForm)
	page("POST /calls/{id}/take-ours", operator, h.takeOursForm)
	page("GET /resyncs", viewer, h.resyncsPage)
	page("POST /resyncs", operator, h.resyncCreateForm)
	page("GET /resyncs/{id}", viewer, h.resyncPage)
	page("POST /resyncs/{id}/{do}", operator, h.resyncStateForm)
	page("GET /messages", viewer, h.messagesPage)
	page("GET /messages/{id}", viewer, h.messagePage)
	page("GET /forms", viewer, h.formsPage)
	page("GET /forms/{id}", viewer, h.formPage)
	page("GET /live", viewer, h.livePage)
	page("GET /live/rows", viewer, h.liveRows)
	page("GET /receipts", viewer, h.receiptsPage)
	page("GET /receipts/{id}", viewer, h.receiptPage)
	page("POST /receipts/{id}/replay", operator, h.receiptReplayForm)
	page("GET /holds", viewer, h.holdsPage)
	page("GET /holds/{id}", viewer, h.holdPage)
	page("POST /holds/{id}/retry", operator, h.holdRetryForm)
	page("GET /sources", viewer, h.sourcesPage)
	page("POST /sources", admin, h.sourceCreateForm)
	page("GET /sources/new", admin, h.sourceNewPage)
	page("GET /sources/{id}", viewer, h.sourcePage)
	page("GET /sources/{id}/edit", admin, h.sourceEditPage)
	page("POST /sources/{id}/edit", admin, h.sourceEditForm)
	page("GET /sources/{id}/rotate-token", admin, h.sourceRotatePage)
	page("POST /sources/{id}/rotate-token", admin, h.sourceRotateForm)
	page("GET /sources/{id}/delete", admin, h.sourceDeletePage)
	page("POST /sources/{id}/delete", admin, h.sourceDeleteForm)
	page("POST /sources/{id}/replay", operator, h.sourceReplayForm)
	page("POST /sources/{id}/send-test", operator, h.sourceTestForm)
	page("POST /sources/{id}/drift", admin, h.driftForm)
	for _, owner := range []string{records.RulesOfSource, records.RulesOfConnection} {
		page("GET /"+owner+"s/{id}/rules", viewer, h.rulesPage(owner))
		page("POST /"+owner+"s/{id}/rules", viewer, h.rulesForm(owner))
	}
	page("GET /connections/{id}/actions", viewer, h.actionsPage)
	page("POST /connections/{id}/actions", viewer, h.actionsForm)
	page("GET /follow-ups", viewer, h.followUpsPage)
	page("POST /follow-ups/{id}/close", operator, h.followUpCloseForm)
	page("POST /follow-ups/{id}/retry", operator, h.followUpRetryForm)
	page("GET /connections", viewer, h.connectionsPage)
	page("POST /connections", admin, h.connectionCreateForm)
	page("GET /connections/new", admin, h.connectionNewPage)
	page("GET /connections/{id}", viewer, h.connectionPage)
	page("GET /connections/{id}/mode", admin, h.modePage)
	page("POST /connections/{id}/mode", admin, h.modeForm)
	page("GET /connections/{id}/edit", admin, h.connectionEditPage)
	page("POST /connections/{id}/edit", admin, h.connectionEditForm)
	page("GET /connections/{id}/delete", admin, h.connectionDeletePage)
	page("POST /connections/{id}/delete", admin, h.connectionDeleteForm)
	page("GET /connections/{id}/connect", admin, h.connectPage)
	mux.HandleFunc("GET /oauth/callback", h.oauthCallback)
	page("GET /connections/{id}/match", viewer, h.matchSettingsPage)
	page("POST /connections/{id}/match", admin, h.matchSettingsForm)
	page("GET /connections/{id}/dispositions", viewer, h.dispositionsPage)
	page("POST /connections/{id}/dispositions", admin, h.dispositionForm)
	page("GET /connections/{id}/owners", viewer, h.ownersPage)
	page("POST /connections/{id}/owners", admin, h.ownerForm)
	page("POST /connections/{id}/owners/match", operator, h.ownersMatchForm)
	page("GET /connections/{id}/mappings/{object}", viewer, h.mappingPage)
	page("POST /connections/{id}/mappings/{object}", operator, h.mappingForm)
	page("POST /connections/{id}/mappings/{object}/row", operator, h.mappingRowForm)
	page("GET /reviews", viewer, h.reviewsPage)
	page("POST /reviews/{id}/resolve", operator, h.reviewResolveForm)
	page("POST /reviews/{id}/reopen", operator, h.reviewReopenForm)
	page("POST /match-choices/{id}/forget", operator, h.choiceForgetForm)
	page("GET /settings", viewer, h.settingsStart)
	page("GET /alerts", viewer, h.alertsPage)
	page("POST /alerts/{id}/mute", operator, h.alertMuteForm)
	page("GET /settings/alerts", viewer, h.alertSettingsPage)
	page("POST /settings/alerts", admin, h.alertSettingsForm)
	page("GET /settings/alerts/channels/new", admin, h.channelNewPage)
	page("POST /settings/alerts/channels", admin, h.channelCreateForm)
	page("GET /settings/alerts/channels/{id}", admin, h.channelEditPage)
	page("POST /settings/alerts/channels/{id}", admin, h.channelEditForm)
	page("POST /settings/alerts/channels/{id}/test", admin, h.channelTestForm)
	page("GET /settings/alerts/channels/{id}/delete", admin, h.channelDeletePage)
	page("POST /settings/alerts/channels/{id}/delete", admin, h.channelDeleteForm)
	page("GET /settings/users", admin, h.usersPage)
	page("POST /settings/users", admin, h.userInviteForm)
	page("GET /settings/users/{id}", admin, h.userPage)
	page("POST /settings/users/{id}", admin, h.userForm)
	page("POST /settings/users/{id}/{do}", admin, h.userStateForm)
	page("GET /settings/users/{id}/remove", admin, h.userRemovePage)
	page("POST /settings/users/{id}/remove", admin, h.userRemoveForm)
	page("POST /settings/invitations/{id}/renew", admin, h.invitationRenewForm)
	page("POST /settings/invitations/{id}/revoke", admin, h.invitationRevokeForm)
	page("GET /settings/tokens", admin, h.tokensPage)
	page("POST /settings/tokens", admin, h.tokenForm)
	page("GET /settings/tokens/{id}/revoke", admin, h.tokenRevokePage)
	page("POST /settings/tokens/{id}/revoke", admin, h.tokenRevokeForm)
	page("GET /settings/workspaces", viewer, h.workspacesPage)
	page("POST /settings/workspaces", viewer, h.workspaceCreateForm)
	page("POST /settings/workspaces/rename", admin, h.workspaceRenameForm)
	page("POST /settings/workspaces/{id}/switch", viewer, h.workspaceSwitchForm)
	page("GET /account", viewer, h.accountPage)
	page("POST /account/name", viewer, h.accountNameForm)
	page("POST /account/password", viewer, h.accountPasswordForm)
	page("POST /account/sessions/{id}/end", viewer, h.sessionEndForm)
	page("POST /account/sessions/end-others", viewer, h.sessionsEndForm)
	mux.HandleFunc("GET "+InvitationPath+"{token}", h.joinPage)
	mux.HandleFunc("POST "+InvitationPath+"{token}", h.joinForm)
	mux.HandleFunc("GET "+PasswordPath+"{token}", h.newPasswordPage)
	mux.HandleFunc("POST "+PasswordPath+"{token}", h.newPasswordForm)
	page("GET /settings/audit", admin, h.auditPage)
	page("GET /numbers", viewer, h.numbersPage)
	page("POST /numbers", admin, h.numberForm)
	page("POST /numbers/listed", admin, h.listNumberForm)
	page("POST /numbers/listed/remove", admin, h.unlistNumberForm)
	page("POST /connections/{id}/test", operator, h.connectionForm(h.testForm))
	page("POST /connections/{id}/schema", operator, h.connectionForm(h.schemaForm))
	page("POST /connections/{id}/pause", operator, h.connectionForm(h.pauseForm))
	page("POST /connections/{id}/resume", operator, h.resumeForm)
	mux.Handle("/", h.page(viewer, func(http.ResponseWriter, *http.Request, principal) error { return notFound() }))
}

// page lets in who may see f, leads who is not signed in to the sign-in, and shows problems as pages.
func (h *Handler) page(role string, f pageFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := h.authenticate(r)
		if errors.Is(err, errNoAccess) {
			to := "/login"
			if r.Method == http.MethodGet && r.URL.Path != "/" {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			if r.Header.Get("HX-Request") != "" {
				// A list that refreshes itself must not get the sign-in into its middle.
				w.Header().Set("HX-Redirect", to)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if err == nil {
			err = h.formFrom(w, r, p)
		}
		if err == nil && !p.may(role) {
			err = problem(http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
		}
		for _, name := range []string{"id"} {
			if id := r.PathValue(name); err == nil && id != "" && !validID(id) {
				err = notFound()
			}
		}
		if err == nil {
			r = acting(w, r, p, r.Pattern)
			err = f(w, r, p)
		}
		if err != nil {
			h.failed(w, r, p, err)
		}
	})
}

// problemHeading says in plain words what kind of problem a page has.
func problemHeading(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "This page is not there"
	case status == http.StatusForbidden:
		return "Your role does not go so far"
	case status >= http.StatusInternalServerError:
		return "Something did not work"
	}
	return "This cannot be done"
}

// failed shows a problem as a page.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, p principal, err error) {
	problem := asProblem(r.Context(), h.Log, err)
	f := frame{Title: problemHeading(problem.Status), User: p.Name, WorkspaceID: placeOf(p), Page: problem}
	if problem.Elsewhere != nil {
		f.Title = problem.Title
	}
	if err := h.render(w, r, problem.Status, "problem", f); err != nil {
		h.Log.ErrorContext(r.Context(), "page failed", "err", err)
		http.Error(w, problem.Detail, problem.Status)
	}
}

// flashes are what a page says after an action; the address carries only their name.
var flashes = map[string]string{
	"demo":          "The demo data is there. Its calls come in now: open some of them.",
	"demo-removed":  "The demo data is removed. Everything else is as it was.",
	"steps-hidden":  "The first steps are put away. The help has them, too.",
	"fetching":      "The recording is being fetched. This page shows what comes of it.",
	"revoked":       "The link is withdrawn: nobody can listen by it any more.",
	"restored":      "The link works again.",
	"answered":      "Answered, and remembered for the number. The calls that waited are delivered now.",
	"reopened":      "Taken back. The question is open again; calls that went to the contact meanwhile stay there.",
	"forgotten":     "Forgotten. The next call of the number is matched anew.",
	"disposition":   "Saved. It counts for the calls that are delivered from now on; retry those on hold.",
	"assigned":      "Assigned. It counts for the calls that are delivered from now on.",
	"match":         "Saved. It counts for the calls that are delivered from now on.",
	"matched":       "The CRM’s users are listed, and the agents with their e-mails assigned.",
	"number":        "Noted. It counts for the calls that are delivered from now on.",
	"queued":        "Queued. The call is delivered as soon as a worker is free.",
	"counting":      "Counting. The number stands below in a moment.",
	"resyncing":     "Begun. The calls are delivered behind the live ones.",
	"resync-pause":  "Paused. What is under way ends.",
	"resync-resume": "It goes on.",
	"resync-cancel": "Cancelled. What was delivered stays.",
	"retried":       "Queued. The calls are delivered in the order in which they were held.",
	"retried-one":   "Queued. This page shows what comes of it: what goes out is gone from the list.",
	"unheld":        "Nothing is on hold for this cause any more.",
	"created":       "The source is there. Do what stands below, then make a call.",
	"saved":         "Saved. What arrives from now on is read with it; replay receipts that came before.",
	"removed":       "The source is removed. Its calls stay.",
	"replaying":     "They are read again. What can be read now is gone from here in a moment.",
	"replayed":      "The receipt is read again.",
	"tested":        "The test has run. Its result is below.",
	"failed":        "The test has run, and something is not right. See below.",
	"rotated":       "The hook URLs have a new token. The old ones go on working for 24 hours.",
	"joined":        "The connection is there. Test it: that shows whether everything is in place.",
	"kept":          "Saved. It counts for what is delivered from now on.",
	"parted":        "The connection is removed. What is in the CRM stays.",
	"connected":     "Connected. Run the test: it shows whether everything is in place.",
	"rules":         "Saved. The rules count for every call that is delivered from now on; what is in a CRM stays there.",
	"mapping":       "Saved. The new version counts for the next write; calls that are in the CRM follow when they change, or by a resync.",
	"returned":      "That version is in force again. It counts for the next write; nothing was lost.",
	"read":          "The CRM was asked for its fields.",
	"live":          "Shadow mode has ended. Calls are written from now on.",
	"shadow":        "Shadow mode is on. Nothing is written from now on; each call shows what would be.",
	"paused":        "Paused. Calls are kept until you resume.",
	"resumed":       "Resumed. What was kept is delivered now.",
	"actions":       "Saved. The actions count for calls that begin from now on.",
	"muted":         "Muted. Nobody is told of it until then; it stays on this page.",
	"unmuted":       "It is told again.",
	"thresholds":    "Saved. They count from the next minute on.",
	"channel":       "Saved. Send a test, to see that it arrives.",
	"unchannelled":  "The channel is removed. Nothing is sent there any more.",
	"closed":        "Closed. The task is completed in the CRM.",
	"person":        "Saved. It counts from their next request on.",
	"disabled":      "They are signed out, and cannot come in to this workspace until you let them.",
	"enabled":       "They may come in again.",
	"removed-user":  "Removed. They are signed out of this workspace.",
	"uninvited":     "The invitation is taken back: its link leads nowhere.",
	"revoked-token": "Revoked. The token counts no longer.",
	"workspace":     "The workspace is there, and you are its admin. Switch to it to set it up.",
	"renamed":       "The workspace has another name.",
	"switched":      "You are in another workspace now.",
	"named":         "Your name is changed.",
	"repassworded":  "Your password is changed, and you are signed out everywhere else.",
	"ended":         "Signed out there.",
	"password":      "Your password is set. Sign in with it.",
	"welcome":       "Welcome. You are in.",
}

// newFrame is the frame of a page for p.
func (h *Handler) newFrame(r *http.Request, p principal, title, nav string, page any) (frame, error) {
	f := frame{Title: title, Nav: nav, User: p.Name, WorkspaceID: placeOf(p), CanAct: p.may(operator), CanEdit: p.may(admin), Settings: settingsLinks(p, nav), Guides: h.guides(r, p), Page: page}
	done := r.URL.Query().Get("done")
	f.Flash, f.Bad = flashes[done], done == "failed"
	if f.Workspace = p.WorkspaceName; p.Workspaces > 1 {
		own, err := h.Store.Memberships(r.Context(), p.UserID)
		if err != nil {
			return f, err
		}
		for _, m := range own {
			if m.ID != p.WorkspaceID && len(f.Elsewhere) < switcherSize {
				f.Elsewhere = append(f.Elsewhere, m)
			}
		}
	}
	holds, err := h.Store.Holds(r.Context(), p.WorkspaceID)
	for _, o := range holds {
		f.Held += o.Count
	}
	if err == nil {
		f.Reviews, err = h.Store.OpenReviews(r.Context(), p.WorkspaceID)
	}
	return f, err
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, p principal, name, title, nav string, page any) error {
	return h.showStatus(w, r, p, http.StatusOK, name, title, nav, page)
}

func (h *Handler) showStatus(w http.ResponseWriter, r *http.Request, p principal, status int, name, title, nav string, page any) error {
	f, err := h.newFrame(r, p, title, nav, page)
	if err != nil {
		return err
	}
	return h.render(w, r, status, name, f)
}

// back leads to a page of ours after an action.
func back(w http.ResponseWriter, r *http.Request, to, done string) error {
	fragment := ""
	if at := strings.IndexByte(to, '#'); at >= 0 {
		to, fragment = to[:at], to[at:]
	}
	http.Redirect(w, r, to+"?done="+done+fragment, http.StatusSeeOther)
	return nil
}
