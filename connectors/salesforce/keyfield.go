package salesforce

import (
	"context"
	"net/http"
	"strings"
)

// permissionSet is the one that gives callsync's user access to the fields that callsync adds.
const permissionSet = "callsync_fields"

// baseName is a custom field's name without its ending.
func baseName(field string) string { return strings.TrimSuffix(field, "__c") }

// makeKey adds our key field to an object, and for calls the field of the exact start, where callsync's user may change the
// org's metadata (Tooling API, CustomField), and tells whether it did. An integration user should not be allowed to, so a
// refusal is no error: the check says what to do by hand. What the user needs to see the field is given by a permission
// set, which may be refused as well.
func (s *session) makeKey(ctx context.Context, object string) bool {
	if !strings.HasSuffix(s.keyField, "__c") {
		return false
	}
	if !s.makeField(ctx, object, s.keyField, values{"label": "Callsync Key", "type": "Text", "length": maxKey, "externalId": true, "unique": true,
		"caseSensitive": false, "description": "The key by which callsync recognises its own record. Do not change it."}) {
		return false
	}
	fields := []string{s.keyField}
	if object == objTask && s.makeField(ctx, object, StartField, values{"label": "Callsync Start", "type": "DateTime", "description": "The exact start of a call."}) {
		fields = append(fields, StartField)
	}
	s.grant(ctx, object, fields)
	return true
}

func (s *session) makeField(ctx context.Context, object, name string, metadata values) bool {
	_, _, err := s.send(ctx, request{method: http.MethodPost, name: "making of a field", object: object, path: s.data() + "/tooling/sobjects/CustomField",
		body: values{"FullName": fieldHome(object) + "." + name, "Metadata": metadata}})
	return err == nil
}

// grant lets callsync's user read and edit fields (object reference, PermissionSet, FieldPermissions,
// PermissionSetAssignment). That the field permissions of activities are those of Task is unconfirmed; what could not be
// granted, the check finds.
func (s *session) grant(ctx context.Context, object string, fields []string) {
	rows, err := s.selectRows(ctx, "PermissionSet", "SELECT Id FROM PermissionSet WHERE Name = "+quote(permissionSet)+" LIMIT 1", false)
	if err != nil {
		return
	}
	set := ""
	if len(rows) > 0 {
		set = rows[0].text("Id")
	} else if set = s.insert(ctx, "PermissionSet", values{"Name": permissionSet, "Label": "callsync fields"}); set != "" {
		if user := s.me(ctx); user != "" {
			s.insert(ctx, "PermissionSetAssignment", values{"AssigneeId": user, "PermissionSetId": set})
		}
	}
	if set == "" {
		return
	}
	for _, f := range fields {
		s.insert(ctx, "FieldPermissions", values{"ParentId": set, "SobjectType": object, "Field": object + "." + f, "PermissionsRead": true, "PermissionsEdit": true})
	}
}

// insert makes a record of the org's setup; empty where it was refused.
func (s *session) insert(ctx context.Context, object string, v values) string {
	id, _, err := s.send(ctx, request{method: http.MethodPost, name: "create of " + object, object: object, path: s.rows(object), body: v})
	if err != nil {
		return ""
	}
	return id
}

// me is callsync's own user (Connect REST API, users/me); empty where Salesforce does not say.
func (s *session) me(ctx context.Context) string {
	var out struct {
		ID string `json:"id"`
	}
	if _, err := s.do(ctx, get("read of the own user", objUser, s.data()+"/chatter/users/me", nil), &out); err != nil || !recordID.MatchString(out.ID) {
		return ""
	}
	return out.ID
}
