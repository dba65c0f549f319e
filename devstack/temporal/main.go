// Command callsync-temporal is a Temporal server in one process that keeps its state in PostgreSQL: for the devstack and
// the tests of callsync, not for production. It makes its databases and its namespace, prints "READY host:port" on
// standard output when it serves, and logs warnings as JSON on standard error. It may be killed at any moment and
// started again on the same databases.
//
// It is a module of its own, because the server is some 1,250 packages that the product must not depend on.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// PostgresEnv names the environment variable with the URL of the PostgreSQL server: not a flag, because everybody on a
// machine can read the flags of a process and the URL holds a password.
const PostgresEnv = "DATABASE_URL"

const (
	loopback    = "127.0.0.1"
	clusterName = "active"
)

type settings struct {
	postgresURL string
	database    string
	port        int
	namespace   string
	retention   time.Duration
	shards      int
	logLevel    string
}

func main() {
	s := settings{postgresURL: os.Getenv(PostgresEnv)}
	flag.StringVar(&s.database, "database", "temporal", "name of the database; the one for visibility is called NAME_visibility")
	flag.IntVar(&s.port, "port", 0, "port of the frontend on 127.0.0.1; 0 takes a free one")
	flag.StringVar(&s.namespace, "namespace", "callsync", "namespace to make")
	flag.DurationVar(&s.retention, "retention", 24*time.Hour, "how long closed workflows are kept")
	flag.IntVar(&s.shards, "shards", 4, "history shards; fixed once the database exists")
	flag.StringVar(&s.logLevel, "log-level", "warn", "debug, info, warn or error")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s=postgres://... callsync-temporal [flags]\n", PostgresEnv)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "callsync-temporal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.postgresURL == "" {
		return fmt.Errorf("%s is not set", PostgresEnv)
	}
	mainStore, visibility, err := stores(s.postgresURL, s.database)
	if err != nil {
		return err
	}
	for _, st := range []store{mainStore, visibility} {
		if err := st.prepare(s.postgresURL); err != nil {
			return err
		}
	}
	if err := createNamespace(ctx, mainStore.cfg, clusterName, s.namespace, s.retention); err != nil {
		return fmt.Errorf("make namespace %s: %w", s.namespace, err)
	}
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	if s.port != 0 {
		ports[0] = s.port
	}
	frontend := address(ports[0])
	cfg := serverConfig(s, ports, mainStore.cfg, visibility.cfg)
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range services {
		hosts[name] = static.SingleLocalHost(address(ports[i]))
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: s.logLevel, Format: "json"}))
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		// Known hosts need no gossip, so that a restart does not wait for the ring to forget the killed one.
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(limits()),
	)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	fmt.Println("READY", frontend)
	<-ctx.Done()
	return server.Stop()
}

// services are in the order of their ports.
var services = []primitives.ServiceName{
	primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
}

func serverConfig(s settings, ports []int, mainStore, visibility *config.SQL) *config.Config {
	cfg := &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: 10 * time.Second, BroadcastAddress: loopback}},
		Persistence: config.Persistence{
			DefaultStore: "main", VisibilityStore: "visibility", NumHistoryShards: int32(s.shards),
			DataStores: map[string]config.DataStore{"main": {SQL: mainStore}, "visibility": {SQL: visibility}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address(ports[0])},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            map[string]config.Service{},
		PublicClient:        config.PublicClient{HostPort: address(ports[0])},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
	for i, name := range services {
		cfg.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnLocalHost: true}}
	}
	return cfg
}

// limits lifts the server's rate limits, which are meant for clusters that many share: here they would only distort what
// is measured. It also keeps the server from asking its makers for newer versions.
func limits() dynamicconfig.StaticClient {
	const many = 1_000_000
	out := dynamicconfig.StaticClient{
		// It needs an HTTP port of its own, and callsync does not use it.
		dynamicconfig.EnableNexus.Key():                               false,
		dynamicconfig.EnableServerVersionCheck.Key():                  false,
		dynamicconfig.FrontendMaxNamespaceBurstRatioPerInstance.Key(): 1.0,
		// One process gains nothing from spreading a queue over partitions.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
	}
	for _, key := range []dynamicconfig.Key{
		dynamicconfig.FrontendRPS.Key(), dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key(),
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(),
		dynamicconfig.FrontendPersistenceMaxQPS.Key(), dynamicconfig.HistoryPersistenceMaxQPS.Key(),
		dynamicconfig.MatchingPersistenceMaxQPS.Key(), dynamicconfig.HistoryRPS.Key(), dynamicconfig.MatchingRPS.Key(),
		dynamicconfig.VisibilityPersistenceMaxReadQPS.Key(), dynamicconfig.VisibilityPersistenceMaxWriteQPS.Key(),
	} {
		out[key] = many
	}
	return out
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// freePorts finds n different free ports.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", address(0))
		if err != nil {
			return nil, err
		}
		// Kept until all are found.
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
