"""Every endpoint of the door."""

from opportune.api import (
    admin,
    asked,
    clicks,
    coupons,
    customers,
    decisions,
    feedback,
    health,
    ingest,
    loyalty,
    messages,
    openapi,
    outbox,
    recommend,
    runs,
    segment_profiles,
)
from opportune.api.endpoint import Endpoint
from opportune.api.pages import table as pages

ENDPOINTS: tuple[Endpoint, ...] = (
    *decisions.ENDPOINTS,
    *ingest.ENDPOINTS,
    *customers.ENDPOINTS,
    *coupons.ENDPOINTS,
    *loyalty.ENDPOINTS,
    *asked.ENDPOINTS,
    *recommend.ENDPOINTS,
    *messages.ENDPOINTS,
    *segment_profiles.ENDPOINTS,
    *health.ENDPOINTS,
    *admin.ENDPOINTS,
    *outbox.ENDPOINTS,
    *runs.ENDPOINTS,
    *clicks.ENDPOINTS,
    *feedback.ENDPOINTS,
    *pages.ENDPOINTS,
    *openapi.ENDPOINTS,
)
