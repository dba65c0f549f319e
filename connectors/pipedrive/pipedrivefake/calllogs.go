package pipedrivefake

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (q *query) log() object {
	for _, l := range q.f.data.logs {
		if l.text("id") == q.id {
			return l
		}
	}
	return nil
}

// listLogs lists those of the token's own user.
func (q *query) listLogs() result {
	var out []object
	for _, l := range slices.Backward(q.f.data.logs) {
		if l.int("user_id") == 1 {
			out = append(out, l)
		}
	}
	return q.byStart(out, 50)
}

func (q *query) readLog() result {
	if l := q.log(); l != nil {
		return ok(clean(l))
	}
	return problem(http.StatusNotFound, "The call log was not found")
}

func (q *query) deleteLog() result {
	l := q.log()
	if l == nil {
		return problem(http.StatusNotFound, "The call log was not found")
	}
	q.f.data.logs = slices.DeleteFunc(q.f.data.logs, func(o object) bool { return o.text("id") == q.id })
	return result{http.StatusOK, map[string]any{"success": true}}
}

// createLog makes a call log, out of an activity of the type call or with one of its own.
func (q *query) createLog() result {
	f, in := q.f, object(maps.Clone(q.body))
	if in["user_id"] != nil && in.int("user_id") != 1 && f.opt.NoAdmin {
		return problem(http.StatusForbidden, "You do not have permissions to create call logs for other users")
	}
	if in["deal_id"] != nil && in["lead_id"] != nil {
		return problem(http.StatusBadRequest, "A call log can be associated with either a deal or a lead")
	}
	if bad := q.refers(q.body); bad != "" {
		return problem(http.StatusBadRequest, bad)
	}
	if d := in.text("duration"); d != "" {
		if _, err := strconv.ParseUint(d, 10, 32); err != nil {
			return problem(http.StatusBadRequest, `"duration" must be a number of seconds`)
		}
	}
	for _, name := range []string{"start_time", "end_time"} {
		at, err := time.Parse(time.RFC3339, in.text(name))
		if err != nil {
			return problem(http.StatusBadRequest, fmt.Sprintf("%q must be a valid ISO 8601 date", name))
		}
		in[name] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	activity := find(f.data.activities, in.int("activity_id"))
	if activity != nil {
		if activity.text("type") != "call" {
			return problem(http.StatusBadRequest, "activity_id must refer to a call type activity")
		}
		if slices.ContainsFunc(f.data.logs, func(l object) bool { return l.int("activity_id") == activity.id() }) {
			return problem(http.StatusBadRequest, "activity_id already has a call log")
		}
		for _, name := range []string{"org_id", "deal_id", "lead_id"} {
			in[name] = activity[name]
		}
	} else {
		activity = object{"id": f.nextID(), "type": "call", "done": true, "is_deleted": false, "add_time": f.stamp(), "update_time": f.stamp(),
			"subject": in["subject"], "note": in["note"], "owner_id": in["user_id"], "participants": []any{}}
		if in["person_id"] != nil {
			activity["participants"] = []any{map[string]any{"person_id": in["person_id"], "primary": true}}
		}
		f.data.activities = append(f.data.activities, activity)
		in["activity_id"] = activity.id()
	}
	if in["user_id"] == nil {
		in["user_id"] = int64(1)
	}
	in["id"], in["has_recording"], in["company_id"] = fmt.Sprintf("CA%026x", f.nextID()), false, int64(66660666)
	f.data.logs = append(f.data.logs, in)
	return ok(clean(in))
}

// part is the file of an upload and its other values; problem says what is wrong with it.
func (q *query) part() (name string, content []byte, values map[string]string, problem string) {
	kind, params, err := mime.ParseMediaType(q.request.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return "", nil, nil, "the body must be multipart/form-data"
	}
	values = map[string]string{}
	r := multipart.NewReader(bytes.NewReader(q.raw), params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", nil, nil, "the body cannot be read"
		}
		b, _ := io.ReadAll(p)
		if p.FormName() == "file" {
			name, content = p.FileName(), b
		} else {
			values[p.FormName()] = string(b)
		}
	}
	if name == "" || len(content) == 0 {
		return "", nil, nil, `"file" is required.`
	}
	return name, content, values, ""
}

// recording attaches a recording; a call log takes one.
func (q *query) recording() result {
	l := q.log()
	if l == nil {
		return problem(http.StatusNotFound, "The call log was not found")
	}
	_, content, values, bad := q.part()
	if bad != "" || len(values) > 0 {
		q.f.refused = append(q.f.refused, "POST /callLogs/{id}/recordings: "+bad)
		return problem(http.StatusBadRequest, bad)
	}
	if l["has_recording"] == true {
		return problem(http.StatusConflict, "A recording for this call already exists")
	}
	l["has_recording"] = true
	q.f.data.recordings[q.id] = content
	return result{http.StatusOK, map[string]any{"success": true}}
}

func (q *query) file() result {
	name, content, values, bad := q.part()
	in := object{}
	for k, v := range values {
		kind, known := shapes["1 POST /files"].body[k]
		if !known || !kind.text(v) {
			bad = fmt.Sprintf("%q is not allowed", k)
			break
		}
		if in[k] = v; kind == integer {
			n, _ := strconv.ParseInt(v, 10, 64)
			in[k] = n
		}
	}
	if bad == "" {
		bad = q.refers(in)
	}
	if bad != "" {
		q.f.refused = append(q.f.refused, "POST /files: "+bad)
		return problem(http.StatusBadRequest, bad)
	}
	in["id"], in["name"], in["file_name"], in["file_size"], in["active_flag"] = q.f.nextID(), name, name, len(content), true
	in["update_time"] = q.f.stamp()
	q.f.data.files = append(q.f.data.files, in)
	q.f.data.uploads[in.id()] = content
	return ok(clean(in))
}
