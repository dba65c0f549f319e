// Package ingest takes webhook requests in and brings them to where they are needed. Receiver stores a request before it
// answers; Relay applies stored receipts to calls and tells the calls' workflows; Sweeper repairs from what the rows say
// if something was missed. Several processes may run each of them at once.
package ingest
