package main

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/internal/blobstore"
	"github.com/callsync/callsync/recordings"
)

// archive opens the recording archive. Nothing is made or sent before it is used.
func (p *process) archive() (blobstore.Store, error) {
	store, err := blobstore.Open(p.cfg.Archive.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("open the recording archive: %w", err)
	}
	return store, nil
}

func (p *process) recordingFetcher() *recordings.Fetcher {
	return &recordings.Fetcher{Providers: providers(), Transport: recordings.NewTransport(p.cfg.HTTP.AllowPrivateHosts)}
}

// archiver copies recordings into the archive.
func (p *process) archiver(files blobstore.Store) *recordings.Archiver {
	consent := &activities.Consent{Store: p.db}
	return &recordings.Archiver{
		Store: p.db, Blobs: files, Withheld: consent.WithholdsRecording, Fetcher: p.recordingFetcher(), MaxBytes: p.cfg.Archive.MaxBytes, Concurrency: p.cfg.Archive.Concurrency,
		Metrics: p.recordingMetrics(), Log: p.log,
	}
}

// recordingLinks serves the permanent links of recordings.
func (p *process) recordingLinks(files blobstore.Store, signedIn func(*http.Request) (string, bool)) (http.Handler, error) {
	keys, err := p.cfg.Secrets.Keyset()
	if err != nil {
		return nil, err
	}
	links := &recordings.Links{
		Store: p.db, Blobs: files, Fetcher: p.recordingFetcher(), Sealer: keys, PublicURL: p.cfg.HTTP.PublicURL, SignedIn: signedIn,
		Metrics: p.recordingMetrics(), Log: p.log,
	}
	return links.Handler(), nil
}

func (p *process) recordingMetrics() *recordings.Metrics {
	return recordings.NewMetrics(prometheus.Registerer(p.metrics))
}
