"""What comes back of messages: notifications of providers, bounces and complaints by mail, clicks and opens.

Pure: bytes in, `Heard` out, and who acted, a person or a machine.
"""
