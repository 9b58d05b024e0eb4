"""From a decision to the customer's eye: content for this person, in their channel, once."""
