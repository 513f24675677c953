"""The parts of the lab: real Salt masters and minions on one machine.

Only the standard library is used here.  Salt itself lives in venvs of its own
(see ``venvs``) and is always reached by running a program from one of them.
"""
