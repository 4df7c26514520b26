"""Pure translators between wire protocols and the model. The floors above import only `base`."""
