"""An index as a service: HTTP with a page, and MCP. Everything here reads; nothing writes to an index.

live     index folders kept open, and opened anew when they change on disk
told     answers, stages, trees and slices as plain JSON values
tuning   the numbers of a pipeline that a caller may change
desk     a bounded number of questions at a time, each with a limit of time
guard    limits on what comes in: size, rate, token, host
app      the HTTP service
tools    the MCP server
"""
