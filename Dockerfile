# The product: one static binary, no shell, not root. `docker build -t callsync .`
#
# It answers GET /healthz (the process lives) and GET /readyz (it can do its work) on CALLSYNC_HTTP_ADDR; let the
# orchestrator ask them. The image has no HEALTHCHECK, because it has no shell to run one in.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/callsync/callsync/internal/telemetry.Version=$VERSION" \
        -o /out/callsync ./cmd/callsync \
 && mkdir -p /out/spool /out/recordings

# Certificates and time zones, and nothing else.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/callsync /usr/local/bin/callsync
# For CALLSYNC_SPOOL_DIR: mount a volume here that survives restarts.
COPY --from=build --chown=nonroot:nonroot /out/spool /var/lib/callsync/spool
# For CALLSYNC_BLOB_URL, where it is a folder: mount a volume here that serve and worker share.
COPY --from=build --chown=nonroot:nonroot /out/recordings /var/lib/callsync/recordings
USER nonroot:nonroot
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/callsync"]
CMD ["serve"]
