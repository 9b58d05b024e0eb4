"""Every page of customers."""

from opportune.api.pages import confirm, preferences, privacy_control, unsubscribe

ENDPOINTS = (
    *unsubscribe.ENDPOINTS,
    *preferences.ENDPOINTS,
    *confirm.ENDPOINTS,
    *privacy_control.ENDPOINTS,
)
