"""A verification tool outside the gateway: what it is asked, and what it answers.

63-ФЗ (article 11, part 3) asks for a tool of confirmed conformity.  A service around one may
take the decision on signatures; the gateway keeps reading documents itself, so it takes an
answer only for octets that both of them say were signed.
"""

from gateway.external_tool.values import Answer, Asked, Service, ToolFailed, ToolVerdict

__all__ = ["Answer", "Asked", "Service", "ToolFailed", "ToolVerdict"]
