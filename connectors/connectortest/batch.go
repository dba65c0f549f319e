package connectortest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
)

// testBatch writes batches of which an item is refused, of which the answer is lost, and with what is there already.
func testBatch(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	batch, ok := session.(connectors.BatchWriter)
	if !ok {
		t.Skip("the connector writes no batches")
	}
	need(t, target.BadWrite != nil)
	require.Greater(t, batch.MaxBatch(), 1)
	require.Empty(t, batch.WriteCalls(t.Context(), nil))
	ws := []connectors.CallWrite{target.Write("b-0", "", "zero", noon), target.BadWrite("b-1"), target.Write("b-2", "", "two", noon)}
	first := batch.WriteCalls(t.Context(), ws)
	require.Len(t, first, 3)
	e := classOf(t, target, first[1].Err)
	require.Equal(t, connectors.Invalid, e.Class, "one item's failure is its own")
	require.NoError(t, first[0].Err)
	require.NoError(t, first[2].Err)
	require.NotEqual(t, first[0].Written.RemoteID, first[2].Written.RemoteID)
	require.True(t, first[0].Written.Created)
	for key, text := range map[string]string{"b-0": "zero", "b-2": "two"} {
		require.Equal(t, 1, crm.Count(key))
		got, _ := crm.Text(key)
		require.Equal(t, text, got, "the outcomes are in the order of the items")
	}
	require.Zero(t, crm.Count("b-1"))
	if target.Connector.Info().Idempotency != connectors.CreateOnly {
		// What is known by its id is changed; what a person has deleted is not made again.
		ws = []connectors.CallWrite{target.Write("b-0", first[0].Written.RemoteID, "zero 2", noon), target.Write("b-3", "", "three", noon)}
		gone := target.Write("b-2", first[2].Written.RemoteID, "two 2", noon)
		if crm.Delete != nil {
			crm.Delete("b-2")
			ws = append(ws, gone)
		}
		second := batch.WriteCalls(t.Context(), ws)
		require.NoError(t, second[0].Err)
		require.NoError(t, second[1].Err)
		require.False(t, second[0].Written.Created)
		require.True(t, second[1].Written.Created)
		got, _ := crm.Text("b-0")
		require.Equal(t, "zero 2", got)
		if crm.Delete != nil {
			require.Equal(t, connectors.NotFound, classOf(t, target, second[2].Err).Class)
			require.Zero(t, crm.Count("b-2"))
		}
	}
	if reader, ok := session.(connectors.BatchReader); ok {
		testBatchRead(t, target, crm, reader, first[0].Written.RemoteID)
	}
	var full []connectors.CallWrite
	for i := range batch.MaxBatch() {
		full = append(full, target.Write(fmt.Sprint("full-", i), "", "x", noon))
	}
	for i, out := range batch.WriteCalls(t.Context(), full) {
		require.NoError(t, out.Err)
		require.Equal(t, 1, crm.Count(full[i].Key))
	}
	lossy := dropping(t, target, crm, 1).(connectors.BatchWriter)
	lost := []connectors.CallWrite{target.Write("l-0", "", "x", noon), target.Write("l-1", "", "x", noon)}
	for _, out := range lossy.WriteCalls(t.Context(), lost) {
		if out.Err != nil {
			require.Equal(t, connectors.UnknownOutcome, classOf(t, target, out.Err).Class)
		}
	}
	if target.Connector.Info().Idempotency == connectors.KeyedUpsert {
		for _, out := range lossy.WriteCalls(t.Context(), lost) {
			require.NoError(t, out.Err)
		}
		require.Equal(t, 1, crm.Count("l-0"))
		require.Equal(t, 1, crm.Count("l-1"))
	}
	away := serve(t, target, answering(target, func() int { return http.StatusServiceUnavailable }, nil)).(connectors.BatchWriter)
	for _, out := range away.WriteCalls(t.Context(), lost) {
		require.Equal(t, connectors.Unavailable, classOf(t, target, out.Err).Class)
	}
}

// testBatchRead reads many calls as each would be read by itself, those that are gone among them.
func testBatchRead(t *testing.T, target Target, crm CRM, session connectors.BatchReader, known string) {
	single := session.(connectors.CallReader)
	require.Empty(t, session.ReadCalls(t.Context(), nil, nil))
	var ids, fields []string
	for i := range 5 {
		w := target.Write(fmt.Sprint("r-", i), "", fmt.Sprint("text ", i), noon)
		out, err := session.(connectors.Session).WriteCall(t.Context(), w)
		require.NoError(t, err)
		ids = append(ids, out.RemoteID)
		if i == 0 {
			fields = slices.Sorted(maps.Keys(w.Fields))
		}
	}
	ids = append(ids, known, "999999999")
	if crm.Delete != nil {
		crm.Delete("r-1")
	}
	for n := range len(ids) + 1 {
		for i, got := range session.ReadCalls(t.Context(), ids[:n], fields) {
			want, err := single.ReadCall(t.Context(), ids[i], fields)
			if err != nil {
				require.Equal(t, classOf(t, target, err).Class, classOf(t, target, got.Err).Class)
				continue
			}
			require.NoError(t, got.Err)
			require.Equal(t, want, got.Fields, "as if read by itself")
		}
	}
	last := session.ReadCalls(t.Context(), ids, fields)
	require.Equal(t, connectors.NotFound, classOf(t, target, last[len(ids)-1].Err).Class)
	away := serve(t, target, answering(target, func() int { return http.StatusServiceUnavailable }, nil)).(connectors.BatchReader)
	for _, out := range away.ReadCalls(t.Context(), ids, fields) {
		require.Equal(t, connectors.Unavailable, classOf(t, target, out.Err).Class)
	}
	busy := serve(t, target, answering(target, func() int { return http.StatusTooManyRequests }, nil)).(connectors.BatchReader)
	for _, out := range busy.ReadCalls(t.Context(), ids, fields) {
		require.Equal(t, connectors.RateLimited, classOf(t, target, out.Err).Class)
	}
}

// testMappings holds the default mappings against the CRM's own description: every target is there and may be written,
// and text that strangers wrote goes escaped into every field that the CRM shows as HTML.
func testMappings(t *testing.T, target Target) {
	info := target.Connector.Info()
	describer, ok := serve(t, target, target.New(t).Handler).(connectors.SchemaDescriber)
	if !ok {
		require.Empty(t, info.Mappings, "mappings need a description of the fields")
		t.Skip("the connector describes no fields")
	}
	for object, text := range info.Mappings {
		var doc struct {
			Object string `yaml:"object"`
			Fields []struct {
				Target string `yaml:"target"`
				Type   string `yaml:"type"`
			} `yaml:"fields"`
		}
		require.NoError(t, yaml.Unmarshal(text, &doc), object)
		require.Equal(t, object, doc.Object)
		require.NotEmpty(t, doc.Fields, object)
		schema, err := describer.Describe(t.Context(), object)
		require.NoError(t, err, object)
		require.Equal(t, object, schema.Object)
		for _, f := range doc.Fields {
			at := slices.IndexFunc(schema.Fields, func(s connectors.SchemaField) bool { return s.Name == f.Target })
			require.GreaterOrEqual(t, at, 0, "%s: the mapping fills %q, which the CRM has not", object, f.Target)
			field := schema.Fields[at]
			require.False(t, field.ReadOnly, "%s: %q is read-only", object, f.Target)
			require.Equal(t, field.Type == connectors.TypeHTML, f.Type == "html", "%s: %q is of type %s in the CRM and %q in the mapping", object, f.Target, field.Type, f.Type)
		}
		_, found := mappings.Lint(text, &schema)
		require.Empty(t, found, "%s: what an unchanged account says of the default mapping", object)
	}
	_, err := describer.Describe(t.Context(), "planet")
	require.Equal(t, connectors.Unsupported, classOf(t, target, err).Class)
}
