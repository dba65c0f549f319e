package salesforce

import (
	"context"

	"github.com/callsync/callsync/connectors"
)

// maxFollow bounds how far a chain of merges and conversions is followed.
const maxFollow = 8

// FollowContact implements connectors.ContactFollower. A record that was merged is deleted with the id of the winner in
// MasterRecordId; a lead that was converted names the contact and account that it became. queryAll shows both.
func (s *session) FollowContact(ctx context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	for range maxFollow {
		object := objects[of.Object]
		if object != objContact && object != objLead && object != objAccount || !recordID.MatchString(of.ID) {
			return connectors.Ref{}, false, nil
		}
		fields := "Id, IsDeleted, MasterRecordId"
		if object == objLead {
			fields += ", IsConverted, ConvertedContactId, ConvertedAccountId"
		}
		rows, err := s.selectRows(ctx, object, "SELECT "+fields+" FROM "+object+" WHERE Id = "+quote(of.ID), true)
		if connectors.IsClass(err, connectors.Invalid) && !hasCode(err, codeField) {
			// The id is that of another kind of record, or of another CRM.
			return connectors.Ref{}, false, nil
		}
		if err != nil {
			return connectors.Ref{}, false, err
		}
		if len(rows) == 0 {
			return connectors.Ref{}, false, nil
		}
		r := rows[0]
		deleted, _ := r["IsDeleted"].(bool)
		converted, _ := r["IsConverted"].(bool)
		switch {
		case deleted && r.text("MasterRecordId") != "":
			of.ID = r.text("MasterRecordId")
		case deleted:
			return connectors.Ref{}, false, nil
		case converted && r.text("ConvertedContactId") != "":
			of = connectors.Ref{Object: connectors.ObjectContact, ID: r.text("ConvertedContactId")}
		case converted && r.text("ConvertedAccountId") != "":
			of = connectors.Ref{Object: connectors.ObjectCompany, ID: r.text("ConvertedAccountId")}
		default:
			return of, true, nil
		}
	}
	return connectors.Ref{}, false, nil
}
