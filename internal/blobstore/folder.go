package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"
)

// folderPart is the size of a folder's parts: each is flushed to disk.
const folderPart = 1 << 20

// partSuffix is what an unfinished file's name ends with; keys have no dots.
const partSuffix = ".part"

// folder keeps files below a path, which is made at the first write. Nothing below it is reached by a symbolic link that
// leads out.
type folder struct {
	path string

	mu   sync.Mutex
	root *os.Root
}

func (f *folder) open() (*os.Root, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.root != nil {
		return f.root, nil
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, fmt.Errorf("blobstore: make the folder: %w", err)
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("blobstore: open the folder: %w", err)
	}
	f.root = root
	return root, nil
}

func (f *folder) PartSize() int { return folderPart }

func (f *folder) Write(ctx context.Context, u *Upload, part []byte) error {
	if len(part) != folderPart {
		return fmt.Errorf("blobstore: a part has %d bytes", len(part))
	}
	if err := f.append(ctx, u, part, false); err != nil {
		return err
	}
	u.Offset += int64(len(part))
	return nil
}

// append writes a part at the upload's offset, over what a writer who was killed may have left behind it.
func (f *folder) append(ctx context.Context, u *Upload, part []byte, last bool) (err error) {
	if err := errors.Join(ctx.Err(), checkKey(u.Key)); err != nil {
		return err
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	if u.Offset == 0 {
		if err := root.MkdirAll(path.Dir(u.Key), 0o700); err != nil {
			return fmt.Errorf("blobstore: make a folder: %w", err)
		}
	}
	file, err := root.OpenFile(u.Key+partSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("blobstore: open a part: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("blobstore: look at a part: %w", err)
	}
	if info.Size() < u.Offset {
		return ErrLost
	}
	// Nothing is cut off here: a writer who has lost the upload without knowing writes what is there already.
	_, err = file.WriteAt(part, u.Offset)
	if err == nil && last {
		err = file.Truncate(u.Offset + int64(len(part)))
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return fmt.Errorf("blobstore: write a part: %w", err)
	}
	return nil
}

func (f *folder) Finish(ctx context.Context, u *Upload, last []byte) error {
	root, err := f.open()
	if err != nil {
		return err
	}
	size := u.Offset + int64(len(last))
	err = f.append(ctx, u, last, true)
	if errors.Is(err, ErrLost) {
		// It may have got its name already, by somebody who was killed right after.
		if info, serr := root.Stat(u.Key); serr == nil && info.Size() == size {
			return errors.Join(root.Remove(u.Key+partSuffix), f.sync(root, path.Dir(u.Key)))
		}
	}
	if err != nil {
		return err
	}
	if err := root.Rename(u.Key+partSuffix, u.Key); err != nil {
		return fmt.Errorf("blobstore: name a file: %w", err)
	}
	// The names themselves must survive a crash, those of new folders too.
	for dir := path.Dir(u.Key); ; dir = path.Dir(dir) {
		if err := f.sync(root, dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

func (f *folder) sync(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return fmt.Errorf("blobstore: open a folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("blobstore: flush a folder: %w", err)
	}
	return nil
}

func (f *folder) Open(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	file, err := root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("blobstore: open a file: %w", err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		file.Close()
		return nil, fmt.Errorf("blobstore: seek in a file: %w", err)
	}
	if length < 0 {
		return file, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, length), file}, nil
}

func (f *folder) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	for _, name := range []string{key + partSuffix, key} {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blobstore: delete a file: %w", err)
		}
	}
	return nil
}

func (f *folder) Link(context.Context, string, Headers, time.Duration) (string, error) {
	return "", ErrNoLinks
}

func (f *folder) Check(context.Context) error {
	if _, err := f.open(); err != nil {
		return err
	}
	probe, err := os.CreateTemp(f.path, ".check-")
	if err != nil {
		return fmt.Errorf("blobstore: write into the folder: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(filepath.Clean(probe.Name())))
}
