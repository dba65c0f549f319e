package ingest

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"

	"github.com/callsync/callsync/records"
)

// A spooled receipt is framed as its length, the CRC-32C of its content and the content, all little-endian:
//
//	uint32 length | uint32 checksum | content
//
// The content is received_at (unix microseconds) and the other fields, each with its length.
const (
	frameHeader = 8
	// maxFrame is more than any receipt can need; a length beyond it is not a length.
	maxFrame = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// errTorn is a record that was not written to its end: the process died, and the receipt was never confirmed.
	errTorn = errors.New("the last record is torn")
	// errCorrupt is a record that is there in full but is not what was written.
	errCorrupt = errors.New("a record is corrupt")
)

func appendRecord(b []byte, r *records.Receipt) []byte {
	start := len(b)
	b = append(b, make([]byte, frameHeader)...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.ReceivedAt.UnixMicro()))
	for _, s := range []string{r.ID, r.WorkspaceID, r.SourceID, r.Method, r.HookEvent, r.Signature, r.Result.State, r.Result.Reason, r.Result.Detail} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range [][]byte{r.Query, r.Headers, r.Body} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	content := b[start+frameHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(content)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(content, castagnoli))
	return b
}

// readRecord reads the next record; remaining is how many bytes the file still has. It returns io.EOF at the end.
func readRecord(r io.Reader, remaining int64) (records.Receipt, int64, error) {
	var none records.Receipt
	if remaining == 0 {
		return none, 0, io.EOF
	}
	if remaining < frameHeader {
		return none, 0, errTorn
	}
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return none, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(head[:]))
	switch {
	case length+frameHeader > remaining:
		return none, 0, errTorn
	case length == 0 || length > maxFrame:
		return none, 0, errCorrupt
	}
	content := make([]byte, length)
	if _, err := io.ReadFull(r, content); err != nil {
		return none, 0, err
	}
	if crc32.Checksum(content, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		if length+frameHeader == remaining {
			// The file had grown, but not all of its pages were written.
			return none, 0, errTorn
		}
		return none, 0, errCorrupt
	}
	rec, err := decodeRecord(content)
	return rec, length + frameHeader, err
}

func decodeRecord(b []byte) (r records.Receipt, err error) {
	if len(b) < 8 {
		return r, errCorrupt
	}
	r.ReceivedAt = time.UnixMicro(int64(binary.LittleEndian.Uint64(b))).UTC()
	b = b[8:]
	next := func() []byte {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			err = errCorrupt
			return nil
		}
		field := b[used : used+int(n) : used+int(n)]
		b = b[used+int(n):]
		return field
	}
	for _, to := range []*string{&r.ID, &r.WorkspaceID, &r.SourceID, &r.Method, &r.HookEvent, &r.Signature, &r.Result.State, &r.Result.Reason, &r.Result.Detail} {
		*to = string(next())
	}
	for _, to := range []*[]byte{&r.Query, &r.Headers, &r.Body} {
		*to = next()
	}
	return r, err
}
