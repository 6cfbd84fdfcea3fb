"""The models that are declared here, one file each."""
