// Checks an export of the deletion log with golang.org/x/mod, which serves Go's checksum database and knows nothing of retentiond.
//
// Usage: verify EXPORT KEY [CHECKPOINT]...   Exits 1, saying why, where anything does not hold.
// It does not use TileHashReader, which before golang.org/x/mod 0.40 returned hashes of tiles that it had not checked.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

func main() {
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// state is a signed checkpoint.
type state struct {
	size int64
	root tlog.Hash
}

func open(text []byte, key note.Verifier) (state, error) {
	opened, err := note.Open(text, note.VerifierList(key))
	if err != nil {
		return state{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		return state{}, errors.New("no checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return state{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return state{size, root}, err
}

func check(export, vkey string, held []string) error {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(export, "log", "checkpoint"))
	if err != nil {
		return err
	}
	newest, err := open(text, key)
	if err != nil {
		return err
	}
	stored, err := read(filepath.Join(export, "log"), newest.size)
	if err != nil {
		return err
	}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	root, err := tlog.TreeHash(newest.size, reader)
	if err != nil {
		return err
	}
	if root != newest.root {
		return errors.New("the tiles lead to another root than was signed")
	}
	for _, tile := range tiles(newest.size) {
		expected, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		file := filepath.Join(export, "log", "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
		found, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Equal(expected, found) {
			return fmt.Errorf("%s is another tile", file)
		}
	}
	older, err := filepath.Glob(filepath.Join(export, "checkpoints", "*"))
	if err != nil {
		return err
	}
	for _, file := range append(older, held...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := checkOlder(text, key, newest, reader); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	proofs, err := filepath.Glob(filepath.Join(export, "proof", "*.tlog-proof"))
	if err != nil {
		return err
	}
	for _, file := range proofs {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := checkProof(string(text), key); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// tiles are those of a log of this size, with the last one of each level as wide as it is now.
func tiles(size int64) []tlog.Tile {
	var found []tlog.Tile
	for level := 0; size > 0; level++ {
		for n := int64(0); n*width < size; n++ {
			count := size - n*width
			if count > width {
				count = width
			}
			found = append(found, tlog.Tile{H: 8, L: level, N: n, W: int(count)})
		}
		size /= width
	}
	return found
}

// read hashes every entry, or takes the stored hash of one that is not there, and works out all other hashes.
func read(folder string, size int64) ([]tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for begin := int64(0); begin < size; begin += width {
		count := size - begin
		if count > width {
			count = width
		}
		tile := tlog.Tile{H: 8, L: 0, N: begin / width, W: int(count)}
		place := strings.TrimPrefix(tile.Path(), "tile/8/0/")
		hashes, err := os.ReadFile(filepath.Join(folder, "tile", "0", place))
		if err != nil {
			return nil, err
		}
		if int64(len(hashes)) != count*tlog.HashSize {
			return nil, errors.New("a tile is cut")
		}
		entries, err := os.ReadFile(filepath.Join(folder, "tile", "entries", place))
		pruned := errors.Is(err, os.ErrNotExist)
		if err != nil && !pruned {
			return nil, err
		}
		for at := int64(0); at < count; at++ {
			var hash tlog.Hash
			copy(hash[:], hashes[at*tlog.HashSize:])
			if !pruned {
				if len(entries) < 2 || len(entries) < 2+int(binary.BigEndian.Uint16(entries)) {
					return nil, errors.New("a bundle is cut")
				}
				end := 2 + int(binary.BigEndian.Uint16(entries))
				if tlog.RecordHash(entries[2:end]) != hash {
					return nil, fmt.Errorf("entry %d is another one", begin+at)
				}
				entries = entries[end:]
			}
			more, err := tlog.StoredHashesForRecordHash(begin+at, hash, reader)
			if err != nil {
				return nil, err
			}
			stored = append(stored, more...)
		}
		if len(entries) > 0 {
			return nil, errors.New("a bundle is too long")
		}
	}
	return stored, nil
}

func checkOlder(text []byte, key note.Verifier, newest state, reader tlog.HashReader) error {
	older, err := open(text, key)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(newest.size, older.size, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newest.size, newest.root, older.size, older.root)
}

func checkProof(text string, key note.Verifier) error {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no proof")
	}
	at, err := open([]byte(signed), key)
	if err != nil {
		return err
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	return tlog.CheckRecord(proof, at.size, at.root, index, tlog.RecordHash(entry))
}
