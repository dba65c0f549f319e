// Package config reads the product's configuration from the environment and says, all at once, what is wrong with it.
// docs/configuration.md is generated from the structs below.
package config

import (
	"log/slog"
	"slices"
	"time"
)

//go:generate go test . -run TestDocumentation -update

// Role is what a process does; some variables are needed by some roles only.
type Role string

// The roles.
const (
	Serve   Role = "serve"
	Worker  Role = "worker"
	Migrate Role = "migrate"
)

// Config is the whole configuration. Tags: envconfig is the variable's name, default and desc go to the documentation,
// needed lists the roles that cannot start without it, min and max bound it.
type Config struct {
	Database Database      `desc:"Database"`
	Temporal Temporal      `desc:"Temporal"`
	HTTP     HTTP          `desc:"HTTP"`
	Secrets  Secrets       `desc:"Secrets and first start"`
	Intake   Intake        `desc:"Intake of webhooks"`
	Delivery DeliveryLimit `desc:"Delivery to CRMs"`
	Archive  Archive       `desc:"Recording archive"`
	Alerts   Alerts        `desc:"Alerts"`
	Process  Process       `desc:"Process"`
}

// Database says where the facts are.
type Database struct {
	URL      SecretURL `envconfig:"DATABASE_URL" needed:"serve worker migrate" desc:"PostgreSQL 15 or newer, as a URL or as key=value pairs: postgres://user:password@host:5432/callsync"`
	MaxConns int32     `envconfig:"CALLSYNC_DB_MAX_CONNS" default:"16" min:"2" max:"1000" desc:"Most connections to PostgreSQL of one process. All processes together must stay below the server's max_connections."`
}

// Temporal says where the waiting is.
type Temporal struct {
	Address       string `envconfig:"TEMPORAL_ADDRESS" default:"localhost:7233" needed:"serve worker" desc:"Frontend of the Temporal server, host:port"`
	Namespace     string `envconfig:"TEMPORAL_NAMESPACE" default:"callsync" needed:"serve worker" desc:"Temporal namespace; it must exist"`
	APIKey        Secret `envconfig:"TEMPORAL_API_KEY" desc:"API key of Temporal Cloud; turns TLS on"`
	TLS           bool   `envconfig:"TEMPORAL_TLS" default:"false" desc:"Connect to Temporal by TLS. Any of the following turns it on, too."`
	TLSServerName string `envconfig:"TEMPORAL_TLS_SERVER_NAME" desc:"Name expected in the server's certificate, where it differs from the address"`
	TLSServerCA   string `envconfig:"TEMPORAL_TLS_SERVER_CA_CERT_PATH" desc:"PEM file of the authority that signed the server's certificate; empty: the system's"`
	TLSClientCert string `envconfig:"TEMPORAL_TLS_CLIENT_CERT_PATH" desc:"PEM file of the client's certificate (mTLS)"`
	TLSClientKey  string `envconfig:"TEMPORAL_TLS_CLIENT_KEY_PATH" desc:"PEM file of the client certificate's key"`
}

// HTTP says where the product is reached.
type HTTP struct {
	Addr              string   `envconfig:"CALLSYNC_HTTP_ADDR" default:":8080" needed:"serve" desc:"Address on which webhooks, API and UI are served"`
	MetricsAddr       string   `envconfig:"CALLSYNC_METRICS_ADDR" desc:"Address for /metrics, /healthz and /readyz alone; empty: they are served on CALLSYNC_HTTP_ADDR. A worker without it serves none."`
	PublicURL         string   `envconfig:"CALLSYNC_PUBLIC_URL" needed:"serve worker" desc:"Address under which phone systems and people reach callsync from outside, such as https://callsync.example.com. Hook URLs and the links written into CRMs are made of it."`
	AllowPrivateHosts bool     `envconfig:"CALLSYNC_ALLOW_PRIVATE_HOSTS" default:"false" desc:"Let connections and recordings use hosts with private, loopback or link-local addresses. Leave it off where admins are not to reach your internal network."`
	TrustedProxies    Networks `envconfig:"CALLSYNC_TRUSTED_PROXIES" default:"127.0.0.0/8,::1/128" desc:"Addresses or networks of the proxies before callsync, separated by commas. The limit of sign-ins counts by the address that they give in X-Forwarded-For; without it all visitors look like one."`
	MaxBodyBytes      int64    `envconfig:"CALLSYNC_MAX_BODY_BYTES" default:"4194304" min:"16384" max:"67108864" desc:"Largest webhook accepted, in bytes; a larger one is answered 413"`
}

// Secrets are what protects the rest, and what exists after the first start.
type Secrets struct {
	Keys          Secret `envconfig:"CALLSYNC_SECRET_KEYS" needed:"serve worker" desc:"Keys that seal stored secrets, as id:base64 (32 bytes each), separated by commas. The first one seals, all of them open: to rotate, put a new one in front and keep the old one."`
	AdminToken    Secret `envconfig:"CALLSYNC_ADMIN_TOKEN" desc:"API token of the bootstrap admin; empty: one is made at the first start and printed once. A new value is added to the old ones."`
	AdminEmail    string `envconfig:"CALLSYNC_ADMIN_EMAIL" desc:"E-mail of a UI user who is made at the start, if there is none with it yet"`
	AdminPassword Secret `envconfig:"CALLSYNC_ADMIN_PASSWORD" desc:"Password of that user, at least 12 characters and none that is tried first; that of an existing user is not changed"`
}

// Intake bounds what serve does with webhooks.
type Intake struct {
	SpoolDir          string        `envconfig:"CALLSYNC_SPOOL_DIR" desc:"Directory in which webhooks are kept while PostgreSQL is away, on a disk that survives restarts; empty: they are answered 503 then"`
	SpoolMaxBytes     int64         `envconfig:"CALLSYNC_SPOOL_MAX_BYTES" default:"1073741824" min:"1048576" desc:"Most bytes of that directory"`
	RetentionDays     int           `envconfig:"CALLSYNC_RECEIPT_RETENTION_DAYS" default:"90" min:"1" max:"3650" desc:"Days that raw webhooks are kept. Days with unapplied or quarantined ones are kept longer."`
	RelayBatch        int           `envconfig:"CALLSYNC_RELAY_BATCH" default:"200" min:"1" max:"5000" desc:"Webhooks applied in one go"`
	RelayWorkers      int           `envconfig:"CALLSYNC_RELAY_WORKERS" default:"1" min:"1" max:"64" desc:"Batches applied side by side. One applies some 2,000 webhooks a second; more take processor time from taking webhooks in."`
	SignalConcurrency int           `envconfig:"CALLSYNC_SIGNAL_CONCURRENCY" default:"16" min:"1" max:"512" desc:"Signals to Temporal under way at once"`
	SweepInterval     time.Duration `envconfig:"CALLSYNC_SWEEP_INTERVAL" default:"30s" min:"100ms" max:"1h" desc:"How often calls are looked for that nobody is taking care of"`
	SchemaInterval    time.Duration `envconfig:"CALLSYNC_SCHEMA_INTERVAL" default:"6h" min:"5m" max:"168h" desc:"How often the fields of the CRMs are read, to find out in time when they change"`
	SweepGrace        time.Duration `envconfig:"CALLSYNC_SWEEP_GRACE" default:"2m" min:"1s" max:"24h" desc:"How late a call must be before it is signalled again"`
}

// DeliveryLimit bounds what worker does.
type DeliveryLimit struct {
	Concurrency   int    `envconfig:"CALLSYNC_DELIVER_CONCURRENCY" default:"32" min:"1" max:"2000" desc:"Deliveries under way at once, per kind of CRM and process"`
	BackfillBatch int    `envconfig:"CALLSYNC_BACKFILL_BATCH" default:"100" min:"1" max:"200" desc:"Calls of a resync that may share a request, to CRMs that take several in one; 1: each call by itself"`
	StickyCache   int    `envconfig:"CALLSYNC_STICKY_CACHE" default:"10000" min:"0" max:"1000000" desc:"Waiting calls whose workflow a worker keeps in memory; the others are replayed when they wake"`
	Deployment    string `envconfig:"WORKER_DEPLOYMENT" desc:"Name of the Temporal worker deployment; turns worker versioning on, and nothing runs until a current version is set there. Empty: off."`
}

// Archive is where copies of recordings are kept.
type Archive struct {
	URL         SecretURL `envconfig:"CALLSYNC_BLOB_URL" default:"file:///var/lib/callsync/recordings" desc:"Recording archive: a folder that serve and worker share, as file:///folder, or a bucket of an S3-compatible service, as s3://KEY:SECRET@host/bucket/prefix?region=eu-central-1. Nothing is written there until a source archives its recordings or a connection uploads them."`
	MaxBytes    int64     `envconfig:"CALLSYNC_RECORDING_MAX_BYTES" default:"2147483648" min:"1048576" max:"1099511627776" desc:"Largest recording that is copied, in bytes"`
	Concurrency int       `envconfig:"CALLSYNC_RECORDING_CONCURRENCY" default:"4" min:"1" max:"64" desc:"Recordings that a worker copies side by side; each takes up to 8 MB of memory"`
}

// Alerts says by what alerts leave.
type Alerts struct {
	SMTPURL    SecretURL `envconfig:"CALLSYNC_SMTP_URL" desc:"Mail server for alerts: smtp://user:password@host:587, which demands STARTTLS, or smtps://user:password@host:465. smtp://host:25?starttls=off, without a user, sends in the clear: only inside your own network. Empty: no e-mails."`
	SMTPFrom   string    `envconfig:"CALLSYNC_SMTP_FROM" desc:"Sender of those e-mails, such as callsync <alerts@example.com>"`
	SlackHosts string    `envconfig:"CALLSYNC_SLACK_HOSTS" default:"hooks.slack.com" desc:"Hosts of incoming webhooks of Slack, separated by commas. Alerts for Slack go nowhere else."`
}

// Process bounds every process.
type Process struct {
	LogLevel        slog.Level    `envconfig:"CALLSYNC_LOG_LEVEL" default:"INFO" desc:"DEBUG, INFO, WARN or ERROR"`
	ShutdownTimeout time.Duration `envconfig:"CALLSYNC_SHUTDOWN_TIMEOUT" default:"30s" min:"1s" max:"10m" desc:"How long a process that is asked to stop may take to finish what it has begun"`
}

// Load reads the environment and validates it for the roles of the process. Its error is a Problems with everything
// that is wrong; the configuration is then not usable.
func Load(roles ...Role) (Config, error) {
	var c Config
	problems, unread := c.read()
	for _, p := range c.problems(roles) {
		// What could not be read has its problem already.
		if !unread[p.Name] {
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, byOrder(c.variables()))
		return Config{}, problems
	}
	c.normalize()
	return c, nil
}
