package odoo

import (
	"context"

	"github.com/callsync/callsync/connectors"
)

// Unlink deletes a record, for tests that clean up after themselves.
func Unlink(ctx context.Context, s connectors.Session, model string, id int64) error {
	return s.(*session).call(ctx, request{model: model, method: "unlink", ids: []int64{id}, args: []arg{}}, nil)
}

// Read reads a record as Odoo has it.
func Read(ctx context.Context, s connectors.Session, model string, id int64, fields ...string) (map[string]any, error) {
	return s.(*session).read(ctx, model, id, fields...)
}

// KeyName is the name part of an External ID.
var KeyName = keyName
