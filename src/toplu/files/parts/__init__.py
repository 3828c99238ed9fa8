"""The bytes of uploads that are not finished."""
