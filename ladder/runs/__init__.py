"""Many runs: kept in a store, trained side by side or on a cluster, with their progress shown."""
