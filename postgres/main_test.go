package postgres

import (
	"testing"

	"github.com/callsync/callsync/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, Migrate) }
