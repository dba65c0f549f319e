package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// MappingDiff is what changes from one version of a mapping to another, by what the documents mean.
type MappingDiff struct {
	From    int               `json:"from"`
	To      int               `json:"to"`
	Changes []mappings.Change `json:"changes"`
}

type inDiff struct {
	PathObject
	From int `path:"a" minimum:"1"`
	To   int `path:"b" minimum:"1"`
}

func (h *Handler) registerMappingVersions(mux *http.ServeMux) {
	handle(h, viewer, get("/connections/{id}/mappings/{object}/versions/{a}/diff/{b}", "What changes from one version to another", "Mappings"), h.diffMapping)
	// Editors read it without a token: it says nothing of anybody.
	mux.HandleFunc("GET "+mappings.SchemaPath, serveMappingSchema)
}

func serveMappingSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/schema+json")
	w.Header().Set("Access-Control-Allow-Origin", "*") // editors in browsers read it, too
	_, _ = w.Write(mappings.JSONSchema())              // the reader is gone if this fails
}

func (h *Handler) diffMapping(ctx context.Context, p principal, in *inDiff) (*answer[MappingDiff], error) {
	all, err := h.Store.MappingVersions(ctx, p.WorkspaceID, in.ID, in.Object)
	if err != nil {
		return nil, err
	}
	changes, err := diffVersions(all, in.From, in.To)
	return &answer[MappingDiff]{MappingDiff{From: in.From, To: in.To, Changes: changes}}, err
}

// diffVersions compares two of the versions of a mapping.
func diffVersions(all []records.MappingVersion, from, to int) ([]mappings.Change, error) {
	var docs [2]mappings.Document
	for i, n := range [2]int{from, to} {
		at := slices.IndexFunc(all, func(v records.MappingVersion) bool { return v.Version == n })
		if at < 0 {
			return nil, notFound()
		}
		// A version that an older callsync took is compared as far as it can be read.
		docs[i], _ = mappings.Parse([]byte(all[at].Document))
	}
	return mappings.Diff(docs[0], docs[1]), nil
}

// activeDocument is the mapping in force, with its version; no document where there is none yet.
func (h *Handler) activeDocument(ctx context.Context, p principal, connectionID, object string) (records.MappingVersion, mappings.Document, error) {
	v, err := h.Store.ActiveMapping(ctx, p.WorkspaceID, connectionID, object)
	if errors.Is(err, records.ErrNotFound) {
		return v, mappings.Document{}, nil
	}
	doc, _ := mappings.Parse([]byte(v.Document))
	return v, doc, err
}
