"""Live flow exports: taken from routers' collectors, kept, and made into bundles."""
