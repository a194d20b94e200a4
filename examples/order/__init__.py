"""The order example: a real little shop, a mail sink and a webhook receiver, and the workflow that lives on them."""
