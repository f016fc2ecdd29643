"""What schemathesis cannot know: how bytes of an archive look (SCHEMATHESIS_HOOKS names this)."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from lenswatch_api.bundles.endpoints import ARCHIVE_TYPES
from lenswatch_api.ingest.capture import BATCH
from lenswatch_api.ingest.endpoints import MESSAGE
from lenswatch_api.uploads.endpoints import PIECE
from tests.api.conftest import IPFIX, bundle, make_tar

_ARCHIVES = st.sampled_from(
    [bundle(), bundle(findings=3), make_tar({"city/deployment.yaml": b"name: x\n"})]
)

for media_type in ARCHIVE_TYPES:
    schemathesis.openapi.media_type(media_type, _ARCHIVES)
schemathesis.openapi.media_type(PIECE, st.binary(max_size=20))
schemathesis.openapi.media_type(MESSAGE, st.just(IPFIX))
schemathesis.openapi.media_type(BATCH, st.sampled_from([(24).to_bytes(2, "big") + IPFIX]))
