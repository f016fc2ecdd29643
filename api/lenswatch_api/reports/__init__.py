"""Reports: the files that an audit wrote."""
