"""What kill -9 leaves of a watch: nothing lost, nothing doubled, everybody told."""
