"""Every test runs with portable bits; stage processes that tests start inherit the setting."""

from ladder import machine

machine.configure(portable=True)
