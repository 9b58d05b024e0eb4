"""Every page of customers."""

from opportune.api.pages import answer, confirm, preferences, privacy_control, unsubscribe

ENDPOINTS = (
    *unsubscribe.ENDPOINTS,
    *answer.ENDPOINTS,
    *preferences.ENDPOINTS,
    *confirm.ENDPOINTS,
    *privacy_control.ENDPOINTS,
)
