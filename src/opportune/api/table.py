"""Every endpoint of the door."""

from opportune.api import admin, customers, decisions, health, ingest, openapi, segment_profiles
from opportune.api.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *decisions.ENDPOINTS,
    *ingest.ENDPOINTS,
    *customers.ENDPOINTS,
    *segment_profiles.ENDPOINTS,
    *health.ENDPOINTS,
    *admin.ENDPOINTS,
    *openapi.ENDPOINTS,
)
