"""What may be published of an audit: noisy counts, a ledger of what they cost, pseudonyms."""

from lenswatch.publication.counts import Table, noisy_tables
from lenswatch.publication.ledger import Ledger, Release
from lenswatch.publication.package import Publication, publish
from lenswatch.publication.pseudonyms import Pseudonyms

__all__ = ["Ledger", "Pseudonyms", "Publication", "Release", "Table", "noisy_tables", "publish"]
