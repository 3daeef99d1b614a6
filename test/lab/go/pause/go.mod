module quorumrecovery.io/lab/pause

go 1.24.0
