package hubspotfake

import (
	"fmt"
	"net/http"
	"time"
)

// maxBatch is how many inputs a batch may have.
const maxBatch = 100

// batchUpsert creates or updates by a unique property. What is wrong with values refuses the whole batch, a conflict
// refuses its item, which is 207 in a batch of several and the error itself in a batch of one.
func (f *Fake) batchUpsert(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		started := f.opt.Now()
		var in struct {
			Inputs []struct {
				ID                 string            `json:"id"`
				IDProperty         string            `json:"idProperty"`
				Properties         map[string]string `json:"properties"`
				ObjectWriteTraceID string            `json:"objectWriteTraceId"`
			} `json:"inputs"`
		}
		if !decode(w, r, &in) {
			return
		}
		if n := len(in.Inputs); n == 0 || n > maxBatch {
			invalid(fmt.Sprintf("The number of inputs must be between 1 and %d, but was %d", maxBatch, n)).write(w)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		seen := map[string]bool{}
		for _, i := range in.Inputs {
			if e := f.checkProps(kind, i.Properties); e != nil {
				e.write(w)
				return
			}
		}
		for _, i := range in.Inputs {
			def := f.data.Properties[kind][i.IDProperty]
			switch {
			case i.ID == "" || i.Properties == nil:
				invalid("Invalid input JSON: some required fields were not set: [id, properties]").write(w)
				return
			case def == nil || !def.HasUniqueValue:
				invalid(fmt.Sprintf("Unable to perform update/upsert by non-unique %s property %s in portal ID %d", typeNames[kind].id, i.IDProperty, f.opt.PortalID)).write(w)
				return
			case seen[i.ID]:
				invalid("Duplicate IDs found in batch input: [" + i.ID + "]").write(w)
				return
			case i.Properties[i.IDProperty] != "" && i.Properties[i.IDProperty] != i.ID:
				invalid("The value of the property " + i.IDProperty + " differs from the id").write(w)
				return
			}
			seen[i.ID] = true
		}
		results, errs := []any{}, []any{}
		for _, i := range in.Inputs {
			o, _ := f.resolve(kind, i.ID, i.IDProperty)
			isNew := o == nil
			i.Properties[i.IDProperty] = i.ID
			o, e := f.put(kind, o, i.Properties)
			if e != nil && len(in.Inputs) == 1 {
				e.write(w)
				return
			}
			if e != nil {
				e.context = map[string]any{"ids": []string{i.ID}}
				errs = append(errs, e.body())
				continue
			}
			result := render(o, nil, true)
			result["new"] = isNew
			results = append(results, result)
		}
		f.answerBatch(w, started, results, errs)
	}
}

// batchUpdate changes records by id. What is wrong with values refuses the whole batch; a record that is gone is an error
// of its item.
func (f *Fake) batchUpdate(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		started := f.opt.Now()
		var in struct {
			Inputs []struct {
				ID                 string            `json:"id"`
				IDProperty         string            `json:"idProperty"`
				Properties         map[string]string `json:"properties"`
				ObjectWriteTraceID string            `json:"objectWriteTraceId"`
			} `json:"inputs"`
		}
		if !decode(w, r, &in) {
			return
		}
		if n := len(in.Inputs); n == 0 || n > maxBatch {
			invalid(fmt.Sprintf("The number of inputs must be between 1 and %d, but was %d", maxBatch, n)).write(w)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		results, errs := []any{}, []any{}
		for _, i := range in.Inputs {
			if i.ID == "" || i.Properties == nil {
				invalid("Invalid input JSON: some required fields were not set: [id, properties]").write(w)
				return
			}
			if e := f.checkProps(kind, i.Properties); e != nil {
				e.write(w)
				return
			}
		}
		for _, i := range in.Inputs {
			o, e := f.resolve(kind, i.ID, i.IDProperty)
			if e == nil {
				o, e = f.put(kind, o, i.Properties)
			}
			if e != nil {
				e.context = map[string]any{"ids": []string{i.ID}}
				errs = append(errs, e.body())
				continue
			}
			results = append(results, render(o, sortedKeys(i.Properties), false))
		}
		f.answerBatch(w, started, results, errs)
	}
}

func (f *Fake) answerBatch(w http.ResponseWriter, started time.Time, results, errs []any) {
	out := map[string]any{"status": "COMPLETE", "results": results, "startedAt": stamp(started), "completedAt": stamp(f.opt.Now())}
	status := http.StatusOK
	if len(errs) > 0 {
		status = http.StatusMultiStatus
		out["numErrors"], out["errors"] = len(errs), errs
	}
	answer(w, status, out)
}

func (f *Fake) batchRead(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		started := f.opt.Now()
		var in struct {
			IDProperty            string    `json:"idProperty"`
			Properties            *[]string `json:"properties"`
			PropertiesWithHistory *[]string `json:"propertiesWithHistory"`
			Inputs                []struct {
				ID string `json:"id"`
			} `json:"inputs"`
		}
		if !decode(w, r, &in) {
			return
		}
		if n := len(in.Inputs); n == 0 || n > maxBatch || in.Properties == nil || in.PropertiesWithHistory == nil {
			invalid(fmt.Sprintf("properties and propertiesWithHistory are required, and between 1 and %d inputs", maxBatch)).write(w)
			return
		}
		f.mu.RLock()
		defer f.mu.RUnlock()
		results, errs := []any{}, []any{}
		for _, i := range in.Inputs {
			o, e := f.resolve(kind, i.ID, in.IDProperty)
			if e != nil && e.status != http.StatusNotFound {
				e.write(w)
				return
			}
			if e != nil {
				e.context = map[string]any{"ids": []string{i.ID}}
				errs = append(errs, e.body())
				continue
			}
			results = append(results, render(o, *in.Properties, false))
		}
		f.answerBatch(w, started, results, errs)
	}
}
