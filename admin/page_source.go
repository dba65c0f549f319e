package admin

import (
	"net/http"
	"slices"
	"time"

	"github.com/callsync/callsync/telephony"
)

// sourceView is the page of one source. Blocks of its Health section find what they need here.
type sourceView struct {
	sourceCard
	Loc       *time.Location
	Steps     []stepView
	Signature signatureState
}

// stepView is one step of the setup with the URLs to paste.
type stepView struct {
	telephony.Step
	URLs []stepURL
}

type stepURL struct {
	telephony.StepURL
	URL string
}

// signatureState says whether requests are known to come from the phone system.
type signatureState struct {
	Tone, Text string
}

func (h *Handler) sourcePage(w http.ResponseWriter, r *http.Request, p principal) error {
	s, err := h.Store.SourceByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	connections, err := h.Store.ConnectionsOf(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	v := sourceView{sourceCard: h.sourceCard(s, p.may(operator)), Loc: location(s)}
	for _, c := range connections {
		if s.Connections == nil || slices.Contains(s.Connections, c.ID) {
			v.Feeds = append(v.Feeds, c.Name)
		}
	}
	if provider, ok := h.Providers[s.Provider]; ok {
		v.Steps = stepsOf(provider.Info(), v.Hooks)
		v.Signature = signatureOf(provider, telephony.SettingsOf(provider.Info(), s, nil))
	}
	return h.show(w, r, p, "source", s.Name, "sources", v)
}

// stepsOf joins the steps of a provider with the hook URLs of a source.
func stepsOf(info telephony.Info, hooks []HookURL) []stepView {
	out := make([]stepView, 0, len(info.Steps))
	for _, step := range info.Steps {
		view := stepView{Step: step}
		for _, u := range step.URLs {
			if i := slices.IndexFunc(hooks, func(h HookURL) bool { return h.Event == u.Event }); i >= 0 {
				view.URLs = append(view.URLs, stepURL{u, hooks[i].URL})
			}
		}
		out = append(out, view)
	}
	return out
}

func signatureOf(p telephony.Provider, s telephony.Settings) signatureState {
	if p.Signs(s) {
		return signatureState{"done", "Only requests that carry the key or token of this source are accepted."}
	}
	if slices.ContainsFunc(p.Info().Fields, func(f telephony.Field) bool { return f.Secret }) {
		return signatureState{"wait", "Requests are not checked: no key is set. Whoever knows the URLs can send calls."}
	}
	return signatureState{"idle", "This phone system signs nothing. The token in the URL is the only secret: whoever knows the URL can send calls."}
}
