//! The patterns of servers and of what applications are written in.

/// Names and definitions.
pub(super) const PATTERNS: &[(&str, &str)] = &[
    // Apache httpd.
    ("HTTPDUSER", r"(?:%{EMAILADDRESS}|%{USER})"),
    (
        "HTTPD_COMMONLOG",
        r#"%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" (?:-|%{NUMBER:response}) (?:-|%{NUMBER:bytes})"#,
    ),
    ("HTTPD_COMBINEDLOG", r"%{HTTPD_COMMONLOG} %{QS:referrer} %{QS:agent}"),
    ("COMMONAPACHELOG", r"%{HTTPD_COMMONLOG}"),
    ("COMBINEDAPACHELOG", r"%{HTTPD_COMBINEDLOG}"),
    (
        "HTTPD20_ERRORLOG",
        r"\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:loglevel}\] (?:\[client %{IPORHOST:clientip}\] )?%{GREEDYDATA:message}",
    ),
    (
        "HTTPD24_ERRORLOG",
        r"\[%{HTTPDERROR_DATE:timestamp}\] \[(?:%{WORD:module})?:%{LOGLEVEL:loglevel}\] \[pid %{POSINT:pid}(?::tid %{NUMBER:tid})?\](?: \(%{POSINT:proxy_errorcode}\)%{DATA:proxy_message}:)?(?: \[client %{IPORHOST:clientip}:%{POSINT:clientport}\])?(?: %{DATA:errorcode}:)? %{GREEDYDATA:message}",
    ),
    ("HTTPD_ERRORLOG", r"(?:%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG})"),
    // HAProxy.
    ("HAPROXYTIME", r"%{HOUR:haproxy_hour}:%{MINUTE:haproxy_minute}(?::%{SECOND:haproxy_second})"),
    (
        "HAPROXYDATE",
        r"%{MONTHDAY:haproxy_monthday}/%{MONTH:haproxy_month}/%{YEAR:haproxy_year}:%{HAPROXYTIME:haproxy_time}\.%{INT:haproxy_milliseconds}",
    ),
    ("HAPROXYCAPTUREDREQUESTHEADERS", r"%{DATA:captured_request_headers}"),
    ("HAPROXYCAPTUREDRESPONSEHEADERS", r"%{DATA:captured_response_headers}"),
    (
        "HAPROXYURI",
        r"(?:%{URIPROTO:http_proto}://)?(?:%{USER:http_user}(?::[^@]*)?@)?(?:%{URIHOST:http_host})?(?:%{URIPATHPARAM:http_request})?",
    ),
    (
        "HAPROXYHTTPREQUESTLINE",
        r"(?:<BADREQ>|%{WORD:http_verb} %{HAPROXYURI}(?: HTTP/%{NUMBER:http_version})?)",
    ),
    (
        "HAPROXYHTTPBASE",
        r#"%{IP:client_ip}:%{INT:client_port} \[%{HTTPDATE_MS:accept_date}\] %{NOTSPACE:frontend_name} %{NOTSPACE:backend_name}/%{NOTSPACE:server_name} %{INT:time_request}/%{INT:time_queue}/%{INT:time_backend_connect}/%{INT:time_backend_response}/%{INT:time_duration} %{INT:http_status_code} %{INT:bytes_read} %{DATA:captured_request_cookie} %{DATA:captured_response_cookie} %{NOTSPACE:termination_state} %{INT:actconn}/%{INT:feconn}/%{INT:beconn}/%{INT:srvconn}/%{INT:retries} %{INT:srv_queue}/%{INT:backend_queue} (?:\{%{HAPROXYCAPTUREDREQUESTHEADERS}\} ?)?(?:\{%{HAPROXYCAPTUREDRESPONSEHEADERS}\} ?)?"%{HAPROXYHTTPREQUESTLINE}"?"#,
    ),
    ("HTTPDATE_MS", r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{HOUR}:%{MINUTE}:%{SECOND}"),
    (
        "HAPROXYHTTP",
        r"(?:%{SYSLOGTIMESTAMP:syslog_timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) %{IPORHOST:syslog_server} %{SYSLOGPROG}: %{HAPROXYHTTPBASE}",
    ),
    (
        "HAPROXYTCP",
        r"(?:%{SYSLOGTIMESTAMP:syslog_timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) %{IPORHOST:syslog_server} %{SYSLOGPROG}: %{IP:client_ip}:%{INT:client_port} \[%{HTTPDATE_MS:accept_date}\] %{NOTSPACE:frontend_name} %{NOTSPACE:backend_name}/%{NOTSPACE:server_name} %{INT:time_queue}/%{INT:time_backend_connect}/%{INT:time_duration} %{INT:bytes_read} %{NOTSPACE:termination_state} %{INT:actconn}/%{INT:feconn}/%{INT:beconn}/%{INT:srvconn}/%{INT:retries} %{INT:srv_queue}/%{INT:backend_queue}",
    ),
    // Java.
    ("JAVACLASS", r"(?:[a-zA-Z$_][a-zA-Z$_0-9]*\.)*[a-zA-Z$_][a-zA-Z$_0-9]*"),
    ("JAVAFILE", r"(?:[a-zA-Z$_0-9. -]+)"),
    ("JAVAMETHOD", r"(?:<(?:cl)?init>|[a-zA-Z$_][a-zA-Z$_0-9]*)"),
    (
        "JAVASTACKTRACEPART",
        r"%{SPACE}at %{JAVACLASS:class}\.%{JAVAMETHOD:method}\(%{JAVAFILE:file}(?::%{INT:line})?\)",
    ),
    ("JAVATHREAD", r"(?:[A-Z]{2}-Processor[0-9]+)"),
    ("JAVALOGMESSAGE", r"(?:.*)"),
    ("CATALINA_DATESTAMP", r"%{MONTH} %{MONTHDAY}, %{YEAR} %{HOUR}:%{MINUTE}:%{SECOND} (?:AM|PM)"),
    (
        "CATALINALOG",
        r"%{CATALINA_DATESTAMP:timestamp} %{JAVACLASS:class} %{JAVALOGMESSAGE:logmessage}",
    ),
    (
        "TOMCAT_DATESTAMP",
        r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:%{MINUTE}:%{SECOND} %{ISO8601_TIMEZONE}",
    ),
    (
        "TOMCATLOG",
        r"%{TOMCAT_DATESTAMP:timestamp} \| %{LOGLEVEL:level} \| %{JAVACLASS:class} - %{JAVALOGMESSAGE:logmessage}",
    ),
    ("MAVEN_VERSION", r"(?:[0-9]+\.)?(?:[0-9]+\.)?(?:\*|[0-9]+)(?:[.-](?:RELEASE|SNAPSHOT))?"),
    // Ruby.
    ("RUBY_LOGLEVEL", r"(?:DEBUG|FATAL|ERROR|WARN|INFO)"),
    (
        "RUBY_LOGGER",
        r"[DFEWI], \[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\] *%{RUBY_LOGLEVEL:loglevel} -- +%{DATA:progname}: %{GREEDYDATA:message}",
    ),
    ("RUUID", r"[0-9A-Fa-f]{32}"),
    ("RCONTROLLER", r"(?:%{RCONTROLLER_NAME:controller})#(?:%{WORD:action})"),
    ("RCONTROLLER_NAME", r"[^#]+"),
    (
        "MCOLLECTIVE",
        r"., \[%{TIMESTAMP_ISO8601:timestamp} #%{POSINT:pid}\]%{SPACE}%{LOGLEVEL:event_level}",
    ),
    ("MCOLLECTIVEAUDIT", r"%{TIMESTAMP_ISO8601:timestamp}:"),
    // Databases.
    ("MONGO_WORDDASH", r"\b[\w-]+\b"),
    ("MONGO_LOG", r"%{SYSLOGTIMESTAMP:timestamp} \[%{WORD:component}\] %{GREEDYDATA:message}"),
    ("MONGO3_SEVERITY", r"\w"),
    ("MONGO3_COMPONENT", r"%{WORD}"),
    (
        "MONGO3_LOG",
        r"%{TIMESTAMP_ISO8601:timestamp} %{MONGO3_SEVERITY:severity} (?:-|%{MONGO3_COMPONENT:component})%{SPACE}(?:\[%{DATA:context}\])? %{GREEDYDATA:message}",
    ),
    ("REDISTIMESTAMP", r"%{MONTHDAY} %{MONTH} %{TIME}"),
    ("REDISLOG", r"\[%{POSINT:pid}\] %{REDISTIMESTAMP:timestamp} \* "),
    (
        "REDISMONLOG",
        r#"%{NUMBER:timestamp} \[%{INT:database} %{IP:client}:%{NUMBER:port}\] "%{WORD:command}"(?: %{GREEDYDATA:params})?"#,
    ),
    (
        "POSTGRESQL",
        r"%{DATESTAMP:timestamp} %{TZ} %{DATA:user_id} %{GREEDYDATA:connection_id} %{POSINT:pid}",
    ),
    // Backups, mail, names.
    ("BACULA_TIMESTAMP", r"%{MONTHDAY}-%{MONTH}(?:-%{YEAR})? %{HOUR}:%{MINUTE}"),
    ("BACULA_HOST", r"[a-zA-Z0-9-]+"),
    ("BACULA_VOLUME", r"%{USER}"),
    ("BACULA_DEVICE", r"%{USER}"),
    ("BACULA_DEVICEPATH", r"%{UNIXPATH}"),
    ("BACULA_CAPACITY", r"%{INT}(?:,%{INT})*"),
    ("BACULA_VERSION", r"%{USER}"),
    ("BACULA_JOB", r"%{USER}"),
    (
        "BACULA_LOGLINE",
        r"%{BACULA_TIMESTAMP:bts} %{BACULA_HOST:hostname}(?: JobId %{INT:jobid})?: %{GREEDYDATA:message}",
    ),
    ("EXIM_MSGID", r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}"),
    ("EXIM_FLAGS", r"(?:<=|[-=>*]>|[*]{2}|==)"),
    (
        "EXIM_DATE",
        r"%{YEAR:exim_year}-%{MONTHNUM:exim_month}-%{MONTHDAY:exim_day} %{TIME:exim_time}",
    ),
    ("EXIM_PID", r"\[%{POSINT}\]"),
    ("EXIM_QT", r"(?:(?:[0-9]+y)?(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?)"),
    (
        "EXIM_REMOTE_HOST",
        r"H=(?:%{NOTSPACE:remote_hostname} )?(?:\(%{NOTSPACE:remote_heloname}\) )?\[%{IP:remote_host}\]",
    ),
    ("EXIM_INTERFACE", r"I=\[%{IP:exim_interface}\](?::%{NUMBER:exim_interface_port})"),
    ("EXIM_PROTOCOL", r"P=%{NOTSPACE:protocol}"),
    ("EXIM_MSG_SIZE", r"S=%{NUMBER:exim_msg_size}"),
    ("EXIM_HEADER_ID", r"id=%{NOTSPACE:exim_header_id}"),
    ("EXIM_SUBJECT", r"T=%{QS:exim_subject}"),
    ("BIND9_TIMESTAMP", r"%{MONTHDAY}-%{MONTH}-%{YEAR} %{TIME}"),
    (
        "BIND9",
        r"%{BIND9_TIMESTAMP:timestamp} queries: %{LOGLEVEL:loglevel}: client(?: @0x[0-9a-f]+)? %{IP:clientip}#%{POSINT:clientport}(?: \(%{GREEDYDATA:query}\))?: query: %{GREEDYDATA:query} IN %{GREEDYDATA:querytype} \(%{IP:dns}\)",
    ),
    // Proxies and the cloud.
    (
        "SQUID3",
        r"%{NUMBER:timestamp}\s+%{NUMBER:duration}\s%{IP:client_address}\s%{WORD:cache_result}/%{NONNEGINT:status_code}\s%{NUMBER:bytes}\s%{WORD:request_method}\s%{NOTSPACE:url}\s(?:-|%{NOTSPACE:user})\s%{WORD:hierarchy_code}/(?:-|%{IPORHOST:server})\s(?:-|%{NOTSPACE:content_type})",
    ),
    (
        "S3_REQUEST_LINE",
        r"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})",
    ),
    (
        "S3_ACCESS_LOG",
        r#"%{WORD:owner} %{NOTSPACE:bucket} \[%{HTTPDATE:timestamp}\] %{IP:clientip} %{NOTSPACE:requester} %{NOTSPACE:request_id} %{NOTSPACE:operation} %{NOTSPACE:key} (?:"%{S3_REQUEST_LINE}"|-) (?:%{INT:response:int}|-) (?:-|%{NOTSPACE:error_code}) (?:%{INT:bytes:int}|-) (?:%{INT:object_size:int}|-) (?:%{INT:request_time_ms:int}|-) (?:%{INT:turnaround_time_ms:int}|-) (?:%{QS:referrer}|-) (?:"?%{QS:agent}"?|-) (?:-|%{NOTSPACE:version_id})"#,
    ),
    ("ELB_URIPATHPARAM", r"%{URIPATH:path}(?:%{URIPARAM:params})?"),
    (
        "ELB_URI",
        r"%{URIPROTO:proto}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST:urihost})?(?:%{ELB_URIPATHPARAM})?",
    ),
    (
        "ELB_REQUEST_LINE",
        r"(?:%{WORD:verb} %{ELB_URI:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})",
    ),
    (
        "ELB_ACCESS_LOG",
        r#"%{TIMESTAMP_ISO8601:timestamp} %{NOTSPACE:elb} %{IP:clientip}:%{INT:clientport:int} (?:%{IP:backendip}:%{INT:backendport:int}|-) %{NUMBER:request_processing_time:float} %{NUMBER:backend_processing_time:float} %{NUMBER:response_processing_time:float} (?:-|%{INT:response:int}) (?:-|%{INT:backend_response:int}) %{INT:received_bytes:int} %{INT:bytes:int} "%{ELB_REQUEST_LINE}"(?: "(?:-|%{DATA:agent})" (?:-|%{NOTSPACE:ssl_cipher}) (?:-|%{NOTSPACE:ssl_protocol}))?"#,
    ),
    (
        "CLOUDFRONT_ACCESS_LOG",
        r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}\t%{TIME}\t%{WORD:x_edge_location}\t(?:%{NUMBER:sc_bytes:int}|-)\t%{IPORHOST:clientip}\t%{WORD:cs_method}\t%{HOSTNAME:cs_host}\t%{NOTSPACE:cs_uri_stem}\t%{NUMBER:sc_status:int}\t%{GREEDYDATA:referrer}\t%{GREEDYDATA:agent}\t%{GREEDYDATA:cs_uri_query}\t%{GREEDYDATA:cookies}\t%{WORD:x_edge_result_type}\t%{NOTSPACE:x_edge_request_id}\t%{HOSTNAME:x_host_header}\t%{URIPROTO:cs_protocol}\t%{INT:cs_bytes:int}\t%{GREEDYDATA:time_taken:float}\t%{GREEDYDATA:x_forwarded_for}\t%{GREEDYDATA:ssl_protocol}\t%{GREEDYDATA:ssl_cipher}\t%{GREEDYDATA:x_edge_response_result_type}",
    ),
];
