package records

import (
	"crypto/md5"
	"strings"

	"github.com/google/uuid"
)

// HoldID is the id of the hold to which a delivery on hold for this cause belongs: that of Hold.ID. It is no secret and
// guards nothing; PostgreSQL makes the same of the same words.
func HoldID(connectionID, class, field, reason string) string {
	sum := md5.Sum([]byte(strings.Join([]string{connectionID, class, field, reason}, "\x1f")))
	return uuid.UUID(sum).String()
}
