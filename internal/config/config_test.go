package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/secretbox"
)

// setenv gives the test an environment of its own: what callsync reads is unset, then set to env.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, v := range new(Config).variables() {
		t.Setenv(v.Name, "")
	}
	for _, name := range Unknown() {
		t.Setenv(name, "")
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func good() map[string]string {
	return map[string]string{
		"DATABASE_URL":         "postgres://u:hunter2@db.example.com:5432/callsync?sslmode=disable&password=hunter2",
		"CALLSYNC_PUBLIC_URL":  "https://callsync.example.com/",
		"CALLSYNC_SECRET_KEYS": secretbox.Generate("k1"),
	}
}

func TestLoadDefaults(t *testing.T) {
	setenv(t, good())
	c, err := Load(Serve, Worker, Migrate)
	require.NoError(t, err)
	require.Equal(t, "localhost:7233", c.Temporal.Address)
	require.Equal(t, "callsync", c.Temporal.Namespace)
	require.Equal(t, ":8080", c.HTTP.Addr)
	require.Equal(t, "https://callsync.example.com", c.HTTP.PublicURL, "without the slash, so that paths can be appended")
	require.Equal(t, 30*time.Second, c.Process.ShutdownTimeout)
	require.Equal(t, slog.LevelInfo, c.Process.LogLevel)
	require.False(t, c.HTTP.AllowPrivateHosts)
	require.Empty(t, c.Warnings())
	tlsConfig, err := c.Temporal.TLSConfig()
	require.NoError(t, err)
	require.Nil(t, tlsConfig)
	_, err = c.Secrets.Keyset()
	require.NoError(t, err)
}

func TestLoadValues(t *testing.T) {
	env := good()
	env["CALLSYNC_LOG_LEVEL"] = "debug"
	env["CALLSYNC_SWEEP_INTERVAL"] = "1m30s"
	env["CALLSYNC_ALLOW_PRIVATE_HOSTS"] = "true"
	env["CALLSYNC_RELAY_WORKERS"] = "7"
	env["TEMPORAL_API_KEY"] = "key"
	// Names that envconfig would make of nested structs mean nothing.
	env["HTTP_CALLSYNC_HTTP_ADDR"] = ":1"
	setenv(t, env)
	c, err := Load(Serve)
	require.NoError(t, err)
	require.Equal(t, slog.LevelDebug, c.Process.LogLevel)
	require.Equal(t, 90*time.Second, c.Intake.SweepInterval)
	require.True(t, c.HTTP.AllowPrivateHosts)
	require.Equal(t, 7, c.Intake.RelayWorkers)
	require.Equal(t, ":8080", c.HTTP.Addr)
	tlsConfig, err := c.Temporal.TLSConfig()
	require.NoError(t, err)
	require.NotNil(t, tlsConfig, "an API key is never sent in the clear")
}

func TestRolesNeedDifferentThings(t *testing.T) {
	setenv(t, map[string]string{"DATABASE_URL": "postgres://u@db/callsync"})
	_, err := Load(Migrate)
	require.NoError(t, err)
	_, err = Load(Worker)
	require.ErrorContains(t, err, "CALLSYNC_SECRET_KEYS is not set")
	require.ErrorContains(t, err, "CALLSYNC_PUBLIC_URL is not set")
}

// Everything that is wrong is told at once, in the order of the documentation, and no value is quoted.
func TestLoadReportsEverything(t *testing.T) {
	const secret = "hunter2"
	setenv(t, map[string]string{
		"DATABASE_URL":                    "postgres://u:" + secret + "%zz@db/callsync",
		"CALLSYNC_DB_MAX_CONNS":           "many" + secret,
		"TEMPORAL_ADDRESS":                secret,
		"CALLSYNC_HTTP_ADDR":              "8080",
		"CALLSYNC_METRICS_ADDR":           "8080",
		"CALLSYNC_PUBLIC_URL":             "https://u:" + secret + "@callsync.example.com",
		"CALLSYNC_MAX_BODY_BYTES":         "1",
		"CALLSYNC_SECRET_KEYS":            "k1:" + secret,
		"CALLSYNC_ADMIN_TOKEN":            secret,
		"CALLSYNC_ADMIN_EMAIL":            "Admin <a@example.com>",
		"CALLSYNC_RELAY_WORKERS":          "65",
		"CALLSYNC_SWEEP_INTERVAL":         "1",
		"CALLSYNC_SWEEP_GRACE":            "0s",
		"TEMPORAL_TLS_CLIENT_KEY_PATH":    "/nowhere",
		"WORKER_DEPLOYMENT":               "a.b",
		"CALLSYNC_SMTP_URL":               "smtp://u:" + secret + "@mail.example.com?starttls=off",
		"CALLSYNC_SMTP_FROM":              "alerts@example.com",
		"CALLSYNC_SLACK_HOSTS":            "https://" + secret,
		"CALLSYNC_ALLOW_PRIVATE_HOSTS":    secret,
		"CALLSYNC_LOG_LEVEL":              "loud",
		"CALLSYNC_RECEIPT_RETENTION_DAYS": "-1",
	})
	_, err := Load(Serve, Worker)
	require.Error(t, err)
	require.NotContains(t, err.Error(), secret)
	var names []string
	for _, p := range err.(Problems) {
		names = append(names, p.Name)
		require.NotEmpty(t, p.Text, p.Name)
		require.NotEmpty(t, p.Fix, p.Name)
	}
	require.Equal(t, []string{
		"DATABASE_URL", "CALLSYNC_DB_MAX_CONNS", "TEMPORAL_ADDRESS", "TEMPORAL_TLS_CLIENT_CERT_PATH",
		"CALLSYNC_HTTP_ADDR", "CALLSYNC_METRICS_ADDR", "CALLSYNC_METRICS_ADDR", "CALLSYNC_PUBLIC_URL",
		"CALLSYNC_ALLOW_PRIVATE_HOSTS", "CALLSYNC_MAX_BODY_BYTES",
		"CALLSYNC_SECRET_KEYS", "CALLSYNC_ADMIN_TOKEN", "CALLSYNC_ADMIN_EMAIL", "CALLSYNC_ADMIN_PASSWORD",
		"CALLSYNC_RECEIPT_RETENTION_DAYS", "CALLSYNC_RELAY_WORKERS", "CALLSYNC_SWEEP_INTERVAL", "CALLSYNC_SWEEP_GRACE",
		"WORKER_DEPLOYMENT", "CALLSYNC_SMTP_URL", "CALLSYNC_SLACK_HOSTS", "CALLSYNC_LOG_LEVEL",
	}, names)
	require.Equal(t, len(names)+1, strings.Count(err.Error(), "\n")+1, "one line each")
}

// The first admin's password keeps to the rule of the pages; an easy one is an error, not a warning.
func TestAdminPasswordKeepsToTheRule(t *testing.T) {
	for password, want := range map[string]string{
		"eleven char": "at least 12 characters", "password1234": "tried first", "Anna@example.com": "e-mail address is no password", "four plain words here": "",
	} {
		env := good()
		env["CALLSYNC_ADMIN_EMAIL"], env["CALLSYNC_ADMIN_PASSWORD"] = "anna@example.com", password
		setenv(t, env)
		_, err := Load(Serve)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "CALLSYNC_ADMIN_PASSWORD cannot be taken")
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), password)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://callsync.example.com":     true,
		"http://localhost:8080/":           true,
		"https://example.com/callsync":     true,
		"callsync.example.com":             false,
		"ftp://example.com":                false,
		"https://":                         false,
		"https://example.com?x=1":          false,
		"https://example.com/#x":           false,
		"https://u@example.com":            false,
		"javascript:alert(1)":              false,
		"https://exa mple.com":             false,
		"https://example.com/%zz":          false,
		"//example.com":                    false,
		"https://example.com:99999999/x?":  false,
		"https://[2001:db8::1]:8080/hooks": true,
	} {
		require.Equal(t, ok, validPublicURL(url), url)
	}
}

func TestWarnings(t *testing.T) {
	env := good()
	env["CALLSYNC_PUBLIC_URL"] = "http://callsync.example.com"
	env["CALLSYNC_ADMIN_TOKEN"] = "12345678"
	env["CALLSYNC_ALLOW_PRIVATE_HOSTS"] = "1"
	env["CALLSYNC_HTTP_ADRR"] = ":1"
	setenv(t, env)
	c, err := Load(Serve)
	require.NoError(t, err)
	all := strings.Join(c.Warnings(), "\n")
	for _, part := range []string{"CALLSYNC_HTTP_ADRR is set but means nothing", "ADMIN_TOKEN is short", "not https", "ALLOW_PRIVATE_HOSTS is on"} {
		require.Contains(t, all, part)
	}
	require.NotContains(t, all, "12345678")
}

func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2"
	env := good()
	key := env["CALLSYNC_SECRET_KEYS"]
	env["CALLSYNC_ADMIN_TOKEN"] = strings.Repeat(secret, 4)
	env["CALLSYNC_ADMIN_EMAIL"] = "a@example.com"
	env["CALLSYNC_ADMIN_PASSWORD"] = secret + secret
	env["CALLSYNC_BLOB_URL"] = "s3://id:" + secret + "@s3.example.com/bucket/path?region=" + secret
	env["TEMPORAL_API_KEY"] = secret
	setenv(t, env)
	c, err := Load(Serve, Worker)
	require.NoError(t, err)
	require.Contains(t, c.Database.URL.Reveal(), secret)

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("starting", "config", c)
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	shown := map[string]string{
		"log": log.String(), "json": string(asJSON),
		"%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c),
		"%s of one": fmt.Sprintf("%s %s", c.Secrets.AdminToken, c.Database.URL),
	}
	for how, text := range shown {
		require.NotContains(t, text, secret, how)
		require.NotContains(t, text, strings.TrimPrefix(key, "k1:"), how)
	}
	require.Contains(t, log.String(), `"DATABASE_URL":"postgres://u:redacted@db.example.com:5432/callsync"`)
	require.Contains(t, log.String(), `"CALLSYNC_SHUTDOWN_TIMEOUT":"30s"`)
	require.Equal(t, "redacted", SecretURL("host=db password="+secret).String())
	require.Equal(t, "redacted", SecretURL("postgres://u:"+secret+"%zz@db").String())
}

func TestTLSConfigErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "not.pem")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	for _, bad := range []Temporal{
		{TLSServerCA: file}, {TLSServerCA: file + "x"}, {TLSClientCert: file}, {TLSClientCert: file, TLSClientKey: file},
	} {
		_, err := bad.TLSConfig()
		require.ErrorAs(t, err, new(Problem))
	}
}
