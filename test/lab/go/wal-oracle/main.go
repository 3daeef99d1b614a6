// Reads WAL directories with etcd's own package, as an etcd that starts on them does, and prints one line of JSON for each.
// The tests of src/etcd/wal compare their reader and appender with it. It opens for writing (etcd then wipes what follows the last
// record), so it is for copies only.
package main

import (
	"encoding/json"
	"os"

	"go.uber.org/zap"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
)

type report struct {
	// Why etcd would not start; everything else is absent then.
	Error   string `json:"error,omitempty"`
	Member  uint64 `json:"member,string,omitempty"`
	Cluster uint64 `json:"cluster,string,omitempty"`
	Term    uint64 `json:"term"`
	Vote    uint64 `json:"vote,string"`
	Commit  uint64 `json:"commit"`
	// Last snapshot record that counts.
	Snapshot uint64 `json:"snapshot"`
	// Terms of the entries after it, in order.
	Terms []uint64 `json:"terms"`
}

func read(directory string) (result report) {
	// etcd panics where it does not know what else to do.
	defer func() {
		if cause := recover(); cause != nil {
			result = report{Error: "panic"}
		}
	}()
	logger := zap.NewNop()
	snapshots, err := wal.ValidSnapshotEntries(logger, directory)
	if err != nil {
		return report{Error: err.Error()}
	}
	start := walpb.Snapshot{}
	for _, snapshot := range snapshots {
		if snapshot.Index >= start.Index {
			start = snapshot
		}
	}
	opened, err := wal.Open(logger, directory, walpb.Snapshot{Index: start.Index, Term: start.Term})
	if err != nil {
		return report{Error: err.Error()}
	}
	defer opened.Close()
	metadata, state, entries, err := opened.ReadAll()
	if err != nil {
		return report{Error: err.Error()}
	}
	return describe(metadata, state, entries, start.Index)
}

func describe(metadata []byte, state raftpb.HardState, entries []raftpb.Entry, snapshot uint64) report {
	identity := etcdserverpb.Metadata{}
	if err := identity.Unmarshal(metadata); err != nil {
		return report{Error: err.Error()}
	}
	terms := []uint64{}
	for number, entry := range entries {
		if entry.Index != snapshot+uint64(number)+1 {
			return report{Error: "a gap between the entries"}
		}
		terms = append(terms, entry.Term)
	}
	return report{
		Member: identity.NodeID, Cluster: identity.ClusterID,
		Term: state.Term, Vote: state.Vote, Commit: state.Commit, Snapshot: snapshot, Terms: terms,
	}
}

func main() {
	// etcd prepares its next segment as soon as it opens a log.
	wal.SegmentSizeBytes = 4096
	out := json.NewEncoder(os.Stdout)
	for _, directory := range os.Args[1:] {
		if err := out.Encode(read(directory)); err != nil {
			panic(err)
		}
	}
}
