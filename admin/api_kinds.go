package admin

import (
	"context"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/telephony"
)

func (h *Handler) registerKinds() {
	handle(h, viewer, get("/providers", "The kinds of phone systems: their settings and how to set them up", "Kinds"),
		func(context.Context, principal, *none) (*answer[List[telephony.Info]], error) {
			return &answer[List[telephony.Info]]{List[telephony.Info]{Items: h.Providers.Infos()}}, nil
		})
	handle(h, viewer, get("/connectors", "The kinds of CRMs: their settings, capabilities and how to set them up", "Kinds"),
		func(context.Context, principal, *none) (*answer[List[connectors.Info]], error) {
			return &answer[List[connectors.Info]]{List[connectors.Info]{Items: h.Connectors.Infos()}}, nil
		})
}
