package admin

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

type liveRequest struct {
	Accept string `header:"Accept" doc:"application/json for one snapshot as a plain answer; anything else gets the stream."`
}

func (h *Handler) registerLive() {
	op := get("/live", "Watch the calls that have not ended", "Calls")
	op.Description = "Server-sent events: first a snapshot of all live calls, then a change whenever something became different; a reader who is " +
		"slow or comes back gets a new snapshot. A comment comes every 15 seconds. The stream ends when its token or session does. " +
		"With \"Accept: application/json\" the answer is one snapshot."
	schema := func(of any) *huma.Schema {
		return huma.SchemaFromType(h.huma.OpenAPI().Components.Schemas, reflect.TypeOf(of))
	}
	snapshot := schema(LiveSnapshot{})
	op.Responses = map[string]*huma.Response{"200": {Description: "The live calls.", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Title: "Events", Description: "The data of events named snapshot and of those named change.",
			OneOf: []*huma.Schema{snapshot, schema(LiveChange{})}}},
		"application/json": {Schema: snapshot},
	}}}
	handle(h, viewer, op, h.liveCalls)
}

func (h *Handler) liveCalls(ctx context.Context, p principal, in *liveRequest) (*huma.StreamResponse, error) {
	if strings.Contains(in.Accept, "application/json") && !strings.Contains(in.Accept, "text/event-stream") {
		s, err := liveSnapshot(ctx, h.Store, p.WorkspaceID)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(s)
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", "application/json")
			_, _ = c.BodyWriter().Write(data) // the reader is gone if this fails
		}}, err
	}
	b, leave, err := h.live.join(p.WorkspaceID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer leave()
		r, w := humago.Unwrap(c)
		h.live.stream(r.Context(), w, b, func() error {
			now, err := h.authenticate(r)
			if err == nil && (now.WorkspaceID != p.WorkspaceID || !now.may(viewer)) {
				return errNoAccess
			}
			return err
		})
	}}, nil
}

// EndStreams ends the streams of live calls, which would hold up a server's shutdown; their readers come back.
func (h *Handler) EndStreams() { h.live.end() }
